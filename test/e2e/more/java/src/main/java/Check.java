import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Assertions that end the program, and mailboxes that wait with a deadline. */
final class Check {
    private static final int DEADLINE_SECONDS = 15;

    private Check() {}

    static void that(boolean fact, String what) {
        if (!fact) {
            throw new AssertionError(what);
        }
        System.out.println("ok - " + what);
    }

    static void equal(Object want, Object got, String what) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
        System.out.println("ok - " + what);
    }

    static <T> T within(BlockingQueue<T> queue, String what) throws InterruptedException {
        T value = queue.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
        if (value == null) {
            throw new AssertionError("waited in vain for " + what);
        }
        return value;
    }

    /** What a listener was told, in order, as short texts. */
    static final class Mailbox {
        private final BlockingQueue<String> queue = new LinkedBlockingQueue<>();

        void put(String text) {
            queue.add(text);
        }

        /** The next text if it comes within a tenth of a second, else null. */
        String poll() throws InterruptedException {
            return queue.poll(100, TimeUnit.MILLISECONDS);
        }

        void expect(String want, String what) throws InterruptedException {
            equal(want, within(queue, what), what);
        }

        /** Skips to the first text that starts with prefix and returns it. */
        String await(String prefix) throws InterruptedException {
            for (;;) {
                String text = within(queue, prefix);
                if (text.startsWith(prefix)) {
                    return text;
                }
            }
        }
    }
}
