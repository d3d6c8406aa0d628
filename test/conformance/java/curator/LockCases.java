import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;

final class LockCases {
    /**
     * Two clients add 1 to the number in a file, COUNT times each. The file is outside the servers and
     * is read, then written: two that held the lock at the same time would lose an increment.
     */
    static void counter(Case one) throws Exception {
        Path file = Path.of(one.arguments.get(0));
        int count = Integer.parseInt(one.arguments.get(1));
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            InterProcessMutex mutex = new InterProcessMutex(one.client(), one.path);
            running.add(threads.submit(() -> add(mutex, file, count)));
        }
        for (Future<?> each : running) {
            each.get(4, TimeUnit.MINUTES);
        }
        threads.shutdown();
    }

    private static Void add(InterProcessMutex mutex, Path file, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            mutex.acquire();
            try {
                long value = Long.parseLong(Files.readString(file));
                Files.writeString(file, String.valueOf(value + 1));
            } finally {
                mutex.release();
            }
        }
        return null;
    }

    static void barriers(Case one) throws Exception {
        int members = 3;
        ExecutorService threads = Executors.newCachedThreadPool();
        DistributedBarrier gate = new DistributedBarrier(one.client(), one.path + "/gate");
        gate.setBarrier();
        AtomicInteger through = new AtomicInteger();
        AtomicInteger inside = new AtomicInteger();
        CountDownLatch waiting = new CountDownLatch(members);
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            CuratorFramework client = one.client();
            running.add(
                    threads.submit(
                            () -> {
                                DistributedBarrier own =
                                        new DistributedBarrier(client, one.path + "/gate");
                                waiting.countDown();
                                own.waitOnBarrier();
                                through.incrementAndGet();
                                DistributedDoubleBarrier both =
                                        new DistributedDoubleBarrier(
                                                client, one.path + "/both", members);
                                both.enter();
                                // Nobody enters before all have come to the second barrier.
                                Case.equal(through.get(), members);
                                inside.incrementAndGet();
                                both.leave();
                                Case.equal(inside.get(), members);
                                return null;
                            }));
        }
        waiting.await();
        CuratorFramework watcher = one.client();
        Case.check(watcher.checkExists().forPath(one.path + "/gate") != null, "the gate is there");
        Case.equal(through.get(), 0);
        gate.removeBarrier();
        for (Future<?> each : running) {
            each.get(1, TimeUnit.MINUTES);
        }
        threads.shutdown();
    }
}
