import com.google.gson.Gson;
import com.pusher.rest.Pusher;
import com.pusher.rest.SignatureUtil;
import com.pusher.rest.data.PresenceUser;
import java.util.Map;

/** The application's server with the official HTTP library. */
final class Backend {
    final Pusher http;

    Backend(Server server) {
        this(server, Server.SECRET);
    }

    Backend(Server server, String secret) {
        http = new Pusher(Server.APP_ID, Server.KEY, secret, Server.MASTER_KEY);
        http.setHost("127.0.0.1:" + server.port);
        http.setEncrypted(false);
    }

    /** What the auth endpoint answers; names with "forged" in them are signed with a wrong secret. */
    String authorize(String channel, String socketId, String user) {
        Pusher signer = channel.contains("forged") ? new Pusher(Server.APP_ID, Server.KEY, "guess", Server.MASTER_KEY) : http;
        if (channel.startsWith("presence-")) {
            return signer.authenticate(socketId, channel, new PresenceUser(user, Map.of("name", user)));
        }
        return signer.authenticate(socketId, channel);
    }

    /** The library has no call for user authentication; this is what the documentation tells to do. */
    String authenticate(String socketId, String user) {
        String data = new Gson().toJson(Map.of("id", user));
        String signature = SignatureUtil.sign(socketId + "::user::" + data, Server.SECRET);
        return new Gson().toJson(Map.of("auth", Server.KEY + ":" + signature, "user_data", data));
    }
}
