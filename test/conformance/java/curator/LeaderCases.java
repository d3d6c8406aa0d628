import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

final class LeaderCases {
    /** Three latches: one leads at a time, in the order in which they came. */
    static void latch(Case one) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderLatch latch = new LeaderLatch(one.client(), one.path, "latch-" + i);
            latch.start();
            int there = i + 1;
            Case.await("latch " + i + " is in", () -> latch.getParticipants().size() == there);
            latches.add(latch);
        }
        while (!latches.isEmpty()) {
            LeaderLatch first = latches.remove(0);
            Case.await(first.getId() + " leads", first::hasLeadership);
            Case.equal(first.getLeader().getId(), first.getId());
            for (LeaderLatch other : latches) {
                Case.check(!other.hasLeadership(), other.getId() + " leads, too");
            }
            first.close();
        }
    }

    /** Three selectors that queue again and again: each leads three times, never two at once. */
    static void selector(Case one) throws Exception {
        AtomicInteger leading = new AtomicInteger();
        AtomicInteger atOnce = new AtomicInteger();
        Map<String, Integer> terms = new ConcurrentHashMap<>();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            String name = "selector-" + i;
            LeaderSelector selector =
                    new LeaderSelector(
                            one.client(),
                            one.path,
                            new LeaderSelectorListenerAdapter() {
                                @Override
                                public void takeLeadership(CuratorFramework client) {
                                    atOnce.accumulateAndGet(leading.incrementAndGet(), Math::max);
                                    terms.merge(name, 1, Integer::sum);
                                    leading.decrementAndGet();
                                }
                            });
            selector.setId(name);
            selector.autoRequeue();
            selector.start();
            selectors.add(selector);
        }
        Case.await(
                "each leads three times",
                () -> terms.size() == 3 && terms.values().stream().allMatch(count -> count >= 3));
        for (LeaderSelector selector : selectors) {
            selector.close();
        }
        Case.equal(atOnce.get(), 1);
    }
}
