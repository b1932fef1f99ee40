import com.google.gson.Gson;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The binary under test, and a receiver of its webhooks. */
final class Server implements AutoCloseable {
    static final String APP_ID = "1001";
    static final String KEY = "app-key";
    static final String SECRET = "app-secret";
    /** Base64 of 32 bytes that only the backend knows. */
    static final String MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    private static final Pattern READY =
            Pattern.compile("pipesocketd ready: public=http://127\\.0\\.0\\.1:(\\d+) ops=.*");

    /** One webhook request as it came. */
    record Hook(String key, String signature, String body) {}

    final BlockingQueue<Hook> hooks = new LinkedBlockingQueue<>();
    final int port;
    private final HttpServer receiver;
    private final Process process;
    private final Path log = Files.createTempFile("pipesocketd", ".log");

    Server() throws IOException {
        receiver = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        receiver.createContext("/", this::receive);
        receiver.start();
        Path config = Files.createTempFile("pipesocketd", ".json");
        Files.writeString(config, new Gson().toJson(configuration()));
        ProcessBuilder builder = new ProcessBuilder(System.getenv("PIPESOCKETD_BINARY"), "--config", config.toString())
                .redirectError(log.toFile());
        // The server takes every variable of its prefix for a setting.
        builder.environment().keySet().removeIf(name -> name.startsWith("PIPESOCKETD_"));
        process = builder.start();
        port = awaitReady();
        Files.delete(config);
    }

    private Map<String, Object> configuration() {
        String url = "http://127.0.0.1:" + receiver.getAddress().getPort() + "/hook";
        List<String> events = List.of("channel_occupied", "member_added", "client_event");
        Map<String, Object> app = Map.of(
                "id", APP_ID,
                "keys", List.of(Map.of("key", KEY, "secret", SECRET)),
                "client_events", true,
                "webhooks", List.of(Map.of("url", url, "events", events)));
        return Map.of(
                "listen", "127.0.0.1:0",
                "ops", Map.of("listen", "127.0.0.1:0"),
                "drain_window", "100ms",
                "webhooks", Map.of("allow_addresses", List.of("127.0.0.0/8"), "grace_delay", "300ms"),
                "apps", List.of(app));
    }

    private int awaitReady() throws IOException {
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            Matcher match = READY.matcher(line);
            if (match.matches()) {
                return Integer.parseInt(match.group(1));
            }
        }
        throw new IOException("the server ended before it was ready");
    }

    private void receive(HttpExchange exchange) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        hooks.add(new Hook(
                exchange.getRequestHeaders().getFirst("X-Pusher-Key"),
                exchange.getRequestHeaders().getFirst("X-Pusher-Signature"),
                body));
        exchange.sendResponseHeaders(200, -1);
        exchange.close();
    }

    /** Stops the server gracefully and requires that it leaves with status 0. */
    @Override
    public void close() throws Exception {
        process.destroy();
        boolean ended = process.waitFor(30, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }
        receiver.stop(0);
        if (!ended || process.exitValue() != 0) {
            System.err.println(Files.readString(log));
        }
        Files.delete(log);
        Check.that(ended, "the server stops within 30 s");
        Check.equal(0, process.exitValue(), "the server stops gracefully");
    }
}
