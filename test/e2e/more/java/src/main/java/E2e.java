import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.pusher.client.channel.PresenceChannel;
import com.pusher.client.channel.PrivateChannel;
import com.pusher.rest.data.Event;
import com.pusher.rest.data.Result;
import com.pusher.rest.data.Validity;
import java.util.List;
import java.util.Map;

/** The official Java libraries, WebSocket client and HTTP, against the binary; ends with status 1 at the first surprise. */
public final class E2e {
    private final Server server;
    private final Backend backend;

    private E2e(Server server) {
        this.server = server;
        this.backend = new Backend(server);
    }

    public static void main(String[] args) {
        int status = 0;
        try (Server server = new Server()) {
            new E2e(server).run();
        } catch (Throwable t) {
            t.printStackTrace();
            status = 1;
        }
        // The client's threads are no daemons.
        System.exit(status);
    }

    private void run() throws Exception {
        publicChannel();
        privateChannels();
        presence();
        encrypted();
        cache();
        refusals();
        users();
        state();
        webhooks();
        unknownApp();
    }

    private Device device(String user) throws InterruptedException {
        return new Device(server, backend, user).connect();
    }

    private static JsonElement succeeded(Result result) {
        if (result.getStatus() != Result.Status.SUCCESS) {
            throw new AssertionError(result.getHttpStatus() + " " + result.getMessage());
        }
        return JsonParser.parseString(result.getMessage());
    }

    private void publicChannel() throws Exception {
        try (Device device = device("ann"); Device other = device("bob")) {
            Device.Listener listener = new Device.Listener();
            Device.Listener others = new Device.Listener();
            device.pusher.subscribe("java-news", listener, "update", "skipped", "batched");
            other.pusher.subscribe("java-news", others, "update", "skipped", "batched");
            listener.mail.expect("subscribed", "a public channel is subscribed");
            others.mail.expect("subscribed", "a public channel is subscribed by another");

            Check.equal(new JsonObject(), succeeded(backend.http.trigger("java-news", "update", Map.of("text", "ä<b>"))),
                    "trigger answers an empty object");
            listener.mail.expect("update {\"text\":\"ä<b>\"}", "an event arrives");
            others.mail.expect("update {\"text\":\"ä<b>\"}", "an event arrives at the other");

            succeeded(backend.http.trigger(List.of("java-news"), "skipped", "1", device.socketId()));
            succeeded(backend.http.trigger(List.of(
                    new Event("java-news", "batched", 1), new Event("java-other", "batched", 2),
                    new Event("java-news", "batched", 3))));
            others.mail.expect("skipped \"1\"", "an event passes the excluded socket by");
            listener.mail.expect("batched 1", "the excluded socket gets the next event, and a batch");
            listener.mail.expect("batched 3", "a batch keeps its order");
            device.pusher.unsubscribe("java-news");
        }
    }

    private void privateChannels() throws Exception {
        try (Device device = device("ann"); Device other = device("bob")) {
            Device.Listener left = new Device.Listener();
            Device.Listener right = new Device.Listener();
            PrivateChannel mine = device.pusher.subscribePrivate("private-java", left, "client-hello");
            other.pusher.subscribePrivate("private-java", right, "client-hello");
            left.mail.expect("subscribed", "a private channel is subscribed");
            right.mail.expect("subscribed", "a private channel is subscribed by another");
            mine.trigger("client-hello", "{\"n\":1}");
            right.mail.expect("client-hello {\"n\":1}", "a client event arrives");
            succeeded(backend.http.trigger("private-java", "client-hello", "fence"));
            left.mail.expect("client-hello \"fence\"", "the sender does not hear itself");
        }
    }

    private void presence() throws Exception {
        try (Device device = device("ann")) {
            Device.Listener left = new Device.Listener();
            PresenceChannel room = device.pusher.subscribePresence("presence-java", left, "client-typing");
            // The library tells the members before the success that carried them.
            left.mail.expect("users [ann={\"name\":\"ann\"}]", "the first member is alone");
            left.mail.expect("subscribed", "a presence channel is subscribed");
            Check.equal("ann", room.getMe().getId(), "the member knows itself");

            Device other = device("bob");
            Device.Listener right = new Device.Listener();
            PresenceChannel theirs = other.pusher.subscribePresence("presence-java", right, "client-typing");
            right.mail.expect("users [ann={\"name\":\"ann\"}, bob={\"name\":\"bob\"}]", "the second member sees both");
            right.mail.expect("subscribed", "a presence channel is subscribed by another");
            left.mail.expect("joined bob={\"name\":\"bob\"}", "a member is announced");
            theirs.trigger("client-typing", "{\"on\":true}");
            left.mail.expect("client-typing {\"on\":true} from bob", "a client event names its sender");
            other.close();
            left.mail.expect("left bob", "a member's leaving is announced");
            Check.equal(1, room.getUsers().size(), "one member is left");
        }
    }

    private void encrypted() throws Exception {
        try (Device device = device("ann")) {
            for (String channel : List.of("private-encrypted-java", "private-encrypted-cache-java")) {
                Device.Listener listener = new Device.Listener();
                device.pusher.subscribePrivateEncrypted(channel, listener, "letter");
                listener.mail.expect("subscribed", channel + " is subscribed");
                succeeded(backend.http.trigger(channel, "letter", Map.of("text", "geheim")));
                listener.mail.expect("letter {\"text\":\"geheim\"}", channel + " is decrypted");
            }
        }
    }

    private void cache() throws Exception {
        try (Device device = device("ann"); Device late = device("bob")) {
            Device.Listener miss = new Device.Listener();
            device.pusher.subscribe("cache-java", miss, "pusher:cache_miss", "price");
            miss.mail.expect("subscribed", "a cache channel is subscribed");
            miss.mail.expect("pusher:cache_miss {}", "an empty cache is a miss");
            succeeded(backend.http.trigger("cache-java", "price", 3));
            miss.mail.expect("price 3", "an event arrives on a cache channel");
            Device.Listener hit = new Device.Listener();
            late.pusher.subscribe("cache-java", hit, "pusher:cache_miss", "price");
            hit.mail.expect("subscribed", "a cache channel is subscribed late");
            hit.mail.expect("price 3", "the cached event is replayed");
        }
    }

    private void refusals() throws Exception {
        try (Device device = device("ann")) {
            Device.Listener listener = new Device.Listener();
            device.pusher.subscribePrivate("private-forged", listener, "pusher:subscription_error");
            Check.that(listener.mail.await("pusher:subscription_error").contains("\"status\":401"),
                    "a refused subscription is reported on the channel");
            Check.that(device.connection.await("error null").contains("Invalid signature"),
                    "a refused subscription is reported on the connection");
            device.pusher.subscribePrivateEncrypted("private-encrypted-forged", new Device.Listener());
            device.connection.await("error null Invalid signature");
            Device.Listener after = new Device.Listener();
            device.pusher.subscribe("java-after", after);
            after.mail.expect("subscribed", "the connection survives refusals");
        }
        Check.equal(Result.Status.AUTHENTICATION_ERROR, new Backend(server, "guess").http.trigger("a", "e", 1).getStatus(),
                "a wrong secret is an authentication error");
        Check.equal(Result.Status.CLIENT_ERROR, backend.http.trigger("a", "pusher:no", 1).getStatus(),
                "a reserved event name is a client error");
    }

    private void users() throws Exception {
        try (Device device = device("java-user")) {
            Device.Listener listener = new Device.Listener();
            device.pusher.user().bind("mail", listener);
            device.pusher.signin();
            // The success of the user's own channel is not announced; the first event that gets through is.
            String own = "{\"name\":\"mail\",\"channel\":\"#server-to-user-java-user\",\"data\":\"1\"}";
            String text = null;
            for (int i = 0; i < 100 && text == null; i++) {
                succeeded(backend.http.post("/events", own));
                text = listener.mail.poll();
            }
            Check.equal("mail 1", text, "an event for the signed-in user arrives");
            Check.equal("java-user", device.pusher.user().userId(), "the user is signed in");

            succeeded(backend.http.post("/users/java-user/terminate_connections", "{}"));
            device.connection.await("error 4009");
            device.connection.await("state DISCONNECTED");
            System.out.println("ok - a terminated user is disconnected for good");
        }
    }

    private void state() throws Exception {
        try (Device device = device("ann"); Device other = device("ann")) {
            for (Device each : List.of(device, other)) {
                Device.Listener listener = new Device.Listener();
                each.pusher.subscribePresence("presence-java-state", listener);
                listener.mail.await("subscribed");
            }
            JsonObject channels = succeeded(backend.http.get("/channels",
                    Map.of("filter_by_prefix", "presence-java-state", "info", "user_count"))).getAsJsonObject();
            Check.equal("{\"channels\":{\"presence-java-state\":{\"user_count\":1}}}", channels.toString(), "channels are listed");
            JsonObject channel = succeeded(backend.http.get("/channels/presence-java-state",
                    Map.of("info", "user_count,subscription_count"))).getAsJsonObject();
            Check.equal(JsonParser.parseString("{\"occupied\":true,\"user_count\":1,\"subscription_count\":2}"), channel,
                    "a channel tells its counts");
            JsonArray users = succeeded(backend.http.get("/channels/presence-java-state/users"))
                    .getAsJsonObject().getAsJsonArray("users");
            Check.equal("[{\"id\":\"ann\"}]", users.toString(), "users are listed");
        }
    }

    private void webhooks() throws Exception {
        int seen = 0;
        for (Server.Hook hook = server.hooks.poll(); hook != null; hook = server.hooks.poll(), seen++) {
            if (backend.http.validateWebhookSignature(hook.key(), hook.signature(), hook.body()) != Validity.VALID) {
                throw new AssertionError("not valid: " + hook);
            }
        }
        Check.that(seen > 10, seen + " webhooks are valid");
    }

    private void unknownApp() throws Exception {
        com.pusher.client.PusherOptions options = new com.pusher.client.PusherOptions()
                .setHost("127.0.0.1").setWsPort(server.port).setUseTLS(false);
        com.pusher.client.Pusher stranger = new com.pusher.client.Pusher("nobody", options);
        Device watcher = new Device(server, backend, "ann");
        stranger.connect(watcher, com.pusher.client.connection.ConnectionState.ALL);
        Check.equal("error 4001 Application does not exist", watcher.connection.await("error"),
                "protocol 5 is told the code before the close");
        watcher.connection.await("state DISCONNECTED");
        System.out.println("ok - an unknown app is not tried again");
    }
}
