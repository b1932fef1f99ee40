import com.pusher.client.Pusher;
import com.pusher.client.PusherOptions;
import com.pusher.client.channel.PresenceChannelEventListener;
import com.pusher.client.channel.PrivateEncryptedChannelEventListener;
import com.pusher.client.channel.PusherEvent;
import com.pusher.client.channel.User;
import com.pusher.client.connection.ConnectionEventListener;
import com.pusher.client.connection.ConnectionState;
import com.pusher.client.connection.ConnectionStateChange;
import java.util.Set;
import java.util.TreeSet;

/** One instance of the official WebSocket client that writes down all it is told. */
final class Device implements ConnectionEventListener, AutoCloseable {
    final Check.Mailbox connection = new Check.Mailbox();
    final Pusher pusher;

    Device(Server server, Backend backend, String user) {
        PusherOptions options = new PusherOptions()
                .setHost("127.0.0.1")
                .setWsPort(server.port)
                .setUseTLS(false)
                .setChannelAuthorizer((channel, socketId) -> backend.authorize(channel, socketId, user))
                .setUserAuthenticator(socketId -> backend.authenticate(socketId, user));
        pusher = new Pusher(Server.KEY, options);
    }

    Device connect() throws InterruptedException {
        pusher.connect(this, ConnectionState.ALL);
        connection.await("state CONNECTED");
        return this;
    }

    String socketId() {
        return pusher.getConnection().getSocketId();
    }

    @Override
    public void onConnectionStateChange(ConnectionStateChange change) {
        connection.put("state " + change.getCurrentState());
    }

    @Override
    public void onError(String message, String code, Exception e) {
        connection.put("error " + code + " " + message + (e == null ? "" : " " + e));
    }

    @Override
    public void close() {
        pusher.disconnect();
    }

    /** Listens to one channel of any kind. */
    static final class Listener implements PresenceChannelEventListener, PrivateEncryptedChannelEventListener {
        final Check.Mailbox mail = new Check.Mailbox();

        @Override
        public void onSubscriptionSucceeded(String channel) {
            mail.put("subscribed");
        }

        @Override
        public void onEvent(PusherEvent event) {
            String from = event.getUserId() == null ? "" : " from " + event.getUserId();
            mail.put(event.getEventName() + " " + event.getData() + from);
        }

        @Override
        public void onError(String message, Exception e) {
            mail.put("error " + message);
        }

        @Override
        public void onAuthenticationFailure(String message, Exception e) {
            mail.put("authentication failure " + message);
        }

        @Override
        public void onDecryptionFailure(String event, String reason) {
            mail.put("decryption failure " + event);
        }

        @Override
        public void onUsersInformationReceived(String channel, Set<User> users) {
            Set<String> names = new TreeSet<>();
            users.forEach(user -> names.add(user.getId() + "=" + user.getInfo()));
            mail.put("users " + names);
        }

        @Override
        public void userSubscribed(String channel, User user) {
            mail.put("joined " + user.getId() + "=" + user.getInfo());
        }

        @Override
        public void userUnsubscribed(String channel, User user) {
            mail.put("left " + user.getId());
        }
    }
}
