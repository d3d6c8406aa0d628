import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;

/** A client holds a lock, leads, watches and has an ephemeral while its server is killed. */
final class KillCase {
    private static final Pattern REMOTE = Pattern.compile("remoteserver:\\S*:(\\d+)");

    static void run(Case one) throws Exception {
        CuratorFramework client = one.client();
        CuratorFramework other = one.client();
        AtomicBoolean lost = new AtomicBoolean();
        CountDownLatch back = new CountDownLatch(1);
        client.getConnectionStateListenable()
                .addListener(
                        (source, state) -> {
                            if (state == ConnectionState.LOST) lost.set(true);
                            if (state == ConnectionState.RECONNECTED) back.countDown();
                        });
        client.create().creatingParentsIfNeeded().forPath(one.path + "/seen", CacheCases.bytes("1"));
        InterProcessMutex mutex = new InterProcessMutex(client, one.path + "/mutex");
        mutex.acquire();
        LeaderLatch latch = new LeaderLatch(client, one.path + "/latch");
        latch.start();
        Case.await("it leads", latch::hasLeadership);
        PersistentNode node =
                new PersistentNode(
                        client,
                        CreateMode.EPHEMERAL,
                        false,
                        one.path + "/node",
                        CacheCases.bytes("here"));
        node.start();
        Case.check(node.waitForInitialCreate(30, TimeUnit.SECONDS), "the node is made");
        CuratorCache cache = CuratorCache.build(client, one.path + "/seen");
        cache.start();
        Case.await("the cache is filled", () -> cache.size() == 1);
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        long czxid = other.checkExists().forPath(one.path + "/node").getCzxid();

        one.ask("killed " + serverOf(client));
        other.setData().forPath(one.path + "/seen", CacheCases.bytes("2"));

        Case.check(back.await(30, TimeUnit.SECONDS), "the client is connected again");
        Case.check(!lost.get(), "its session was lost");
        Case.equal(client.getZookeeperClient().getZooKeeper().getSessionId(), session);
        Case.await("it leads again", latch::hasLeadership);
        Case.await(
                "the cache has what it missed",
                () -> CacheCases.text(cache.get(one.path + "/seen").get()).equals("2"));
        Case.equal(other.checkExists().forPath(one.path + "/node").getCzxid(), czxid);
        InterProcessMutex wanted = new InterProcessMutex(other, one.path + "/mutex");
        Case.check(!wanted.acquire(300, TimeUnit.MILLISECONDS), "the lock was given away");
        mutex.release();
        Case.check(wanted.acquire(30, TimeUnit.SECONDS), "the lock is free");
        wanted.release();
        cache.close();
        node.close();
        latch.close();
    }

    private static int serverOf(CuratorFramework client) throws Exception {
        String description = client.getZookeeperClient().getZooKeeper().toString();
        Matcher found = REMOTE.matcher(description);
        Case.check(found.find(), "no server in " + description);
        return Integer.parseInt(found.group(1));
    }
}
