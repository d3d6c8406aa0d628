import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/**
 * ZooKeeper's client with the stores that its system properties name: {@code SecureClient HOSTS}. A line
 * of standard input asks for {@code owns PATH NAME}, {@code outlives PATH} or {@code refused -};
 * {@code = passed} or {@code = failed WHY} ends each.
 */
public final class SecureClient {
    private static final int SESSION_MS = 10_000;
    private static final int WITHIN_S = 60;
    private static final Pattern REMOTE = Pattern.compile("remoteserver:\\S*:(\\d+)");
    private static final byte[] DATA = "here".getBytes();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", 3);
            try {
                switch (words[0]) {
                    case "owns":
                        owns(args[0], words[1], words[2]);
                        break;
                    case "outlives":
                        outlives(args[0], words[1], in);
                        break;
                    case "refused":
                        refused(args[0]);
                        break;
                    default:
                        throw new IllegalArgumentException(line);
                }
                System.out.println("= passed");
            } catch (Throwable thrown) {
                System.out.println("= failed " + String.valueOf(thrown).replaceAll("\\s+", " "));
            }
        }
        System.exit(0);
    }

    /** What a client with a certificate makes for itself is its own, by the name in the certificate. */
    private static void owns(String hosts, String path, String name) throws Exception {
        try (ZooKeeper client = connect(hosts)) {
            client.create(path, DATA, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            ACL own = new ACL(ZooDefs.Perms.ALL, new Id("x509", name));
            equal(client.getACL(path, new Stat()), Arrays.asList(own));
            client.setData(path, DATA, 0);
            ACL another = new ACL(ZooDefs.Perms.ALL, new Id("x509", "CN=another"));
            client.create(path + "/shut", DATA, Arrays.asList(another), CreateMode.PERSISTENT);
            try {
                client.getData(path + "/shut", false, null);
                throw new AssertionError("another's data was read");
            } catch (KeeperException.NoAuthException expected) {
                client.setACL(path, Arrays.asList(own, another), 0);
            }
        }
    }

    /** The session, its ephemeral and its watch move to another server when theirs is killed. */
    private static void outlives(String hosts, String path, BufferedReader in) throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        try (ZooKeeper client = connect(hosts);
                ZooKeeper other = connect(hosts)) {
            client.create(path, DATA, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.EPHEMERAL);
            long session = client.getSessionId();
            client.getData(path, event -> {
                if (event.getType() == Watcher.Event.EventType.NodeDataChanged) seen.countDown();
            }, null);
            Matcher remote = REMOTE.matcher(client.toString());
            if (!remote.find()) throw new AssertionError("no server in " + client);
            System.out.println("> killed " + remote.group(1));
            in.readLine();
            retrying(() -> other.setData(path, DATA, -1));
            if (!seen.await(WITHIN_S, TimeUnit.SECONDS)) throw new AssertionError("no event");
            equal(retrying(() -> client.exists(path, false)).getEphemeralOwner(), session);
            equal(client.getSessionId(), session);
        }
    }

    private static void refused(String hosts) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        try (ZooKeeper client = new ZooKeeper(hosts, SESSION_MS, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
        })) {
            if (connected.await(4, TimeUnit.SECONDS)) throw new AssertionError("it is connected");
        }
    }

    private static ZooKeeper connect(String hosts) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(hosts, SESSION_MS, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
        });
        if (!connected.await(WITHIN_S, TimeUnit.SECONDS)) {
            client.close();
            throw new AssertionError("not connected");
        }
        return client;
    }

    private interface Request<T> {
        T send() throws KeeperException, InterruptedException;
    }

    /** A client that has just lost its server may fail once, and says so. */
    private static <T> T retrying(Request<T> request) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WITHIN_S);
        for (;;) {
            try {
                return request.send();
            } catch (KeeperException.ConnectionLossException lost) {
                if (System.nanoTime() > deadline) throw lost;
                Thread.sleep(50);
            }
        }
    }

    private static void equal(Object found, Object expected) {
        if (!expected.equals(found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }
}
