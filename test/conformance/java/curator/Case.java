import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.data.Stat;

/** One case on its way: its clients, a znode of its own, and the one who asked for it. */
final class Case implements AutoCloseable {
    private static final int SESSION_MS = 10_000;
    private static final int CONNECTION_MS = 5_000;
    private static final long WITHIN_MS = 60_000;

    final String path;
    final List<String> arguments;
    private final String hosts;
    private final BufferedReader in;
    private final PrintStream out;
    private final List<CuratorFramework> clients = Collections.synchronizedList(new ArrayList<>());

    Case(String hosts, String path, List<String> arguments, BufferedReader in, PrintStream out) {
        this.hosts = hosts;
        this.path = path;
        this.arguments = arguments;
        this.in = in;
        this.out = out;
    }

    /** A client of all servers, closed after the case. */
    CuratorFramework client() {
        return client(SESSION_MS);
    }

    /** One whose session ends so long after it was heard of last. */
    CuratorFramework client(int sessionMs) {
        return start(CuratorFrameworkFactory.builder().connectString(hosts), sessionMs);
    }

    /** A client that is told of one server alone. */
    CuratorFramework clientOf(String server) {
        return start(CuratorFrameworkFactory.builder().connectString(server), SESSION_MS);
    }

    /** The superuser super:secret, who stays with these servers. */
    CuratorFramework administratorOf(List<String> servers) {
        CuratorFrameworkFactory.Builder builder =
                CuratorFrameworkFactory.builder()
                        .connectString(String.join(",", servers))
                        .ensembleTracker(false)
                        .authorization("digest", "super:secret".getBytes(StandardCharsets.UTF_8));
        return start(builder, SESSION_MS);
    }

    List<String> servers() {
        return Arrays.asList(hosts.split(","));
    }

    private CuratorFramework start(CuratorFrameworkFactory.Builder builder, int sessionMs) {
        CuratorFramework client =
                builder.sessionTimeoutMs(sessionMs)
                        .connectionTimeoutMs(CONNECTION_MS)
                        .retryPolicy(new RetryForever(100))
                        .build();
        clients.add(client);
        client.start();
        return client;
    }

    /** Tells something to the one who asked for the case, and waits until that was done. */
    void ask(String what) throws IOException {
        out.println("> " + what);
        out.flush();
        if (in.readLine() == null) {
            throw new IOException("nobody answers to " + what);
        }
    }

    static void check(boolean held, String what) {
        if (!held) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object found, Object expected) {
        check(expected.equals(found), "expected " + expected + ", found " + found);
    }

    /** The Stat of a znode that somebody else made, when the client's server has it. */
    static Stat seen(CuratorFramework client, String path) throws Exception {
        await(path + " is there", () -> client.checkExists().forPath(path) != null);
        return client.checkExists().forPath(path);
    }

    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WITHIN_MS);
        while (!condition.call()) {
            check(System.nanoTime() < deadline, what + ": not within " + WITHIN_MS + " ms");
            Thread.sleep(20);
        }
    }

    @Override
    public void close() {
        for (CuratorFramework client : clients) {
            client.close();
        }
    }
}
