import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;

final class CacheCases {
    /** A tree over a persistent recursive watch: what was there, then every change, once each. */
    static void curatorCache(Case one) throws Exception {
        CuratorFramework writer = one.client();
        writer.create().creatingParentsIfNeeded().forPath(one.path + "/a/deep", bytes("1"));
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        CuratorFramework reader = one.client();
        try (CuratorCache cache = CuratorCache.build(reader, one.path)) {
            cache.listenable()
                    .addListener(
                            CuratorCacheListener.builder()
                                    .forInitialized(() -> seen.add("initialized"))
                                    .forCreates(node -> seen.add("created " + name(one, node)))
                                    .forChanges(
                                            (old, node) ->
                                                    seen.add("changed " + name(one, node)))
                                    .forDeletes(node -> seen.add("deleted " + name(one, node)))
                                    .build());
            cache.start();
            Case.await("the cache is filled", () -> seen.contains("initialized"));
            List<String> filled = new ArrayList<>(seen);
            Collections.sort(filled);
            Case.equal(
                    filled, Arrays.asList("created ", "created /a", "created /a/deep", "initialized"));
            seen.clear();
            writer.setData().forPath(one.path + "/a/deep", bytes("2"));
            writer.create().forPath(one.path + "/b", bytes("3"));
            Case.await("the change and the new one", () -> seen.size() == 2);
            writer.delete().deletingChildrenIfNeeded().forPath(one.path + "/a");
            Case.await("the deletes", () -> seen.size() == 4);
            Case.equal(
                    seen,
                    Arrays.asList("changed /a/deep", "created /b", "deleted /a/deep", "deleted /a"));
            Case.equal(text(cache.get(one.path + "/b").get()), "3");
            Case.equal(cache.size(), 2);
        }
    }

    /** The older cache of children, over one-shot watches. */
    static void pathChildrenCache(Case one) throws Exception {
        CuratorFramework writer = one.client();
        writer.create().creatingParentsIfNeeded().forPath(one.path + "/first", bytes("1"));
        CuratorFramework reader = one.client();
        try (PathChildrenCache cache = new PathChildrenCache(reader, one.path, true)) {
            cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            Case.equal(cache.getCurrentData().size(), 1);
            for (int i = 0; i < 20; i++) {
                writer.create().forPath(one.path + "/n" + i, bytes("x"));
                writer.setData().forPath(one.path + "/n" + i, bytes(String.valueOf(i)));
            }
            Case.await(
                    "all children with their data",
                    () ->
                            cache.getCurrentData().size() == 21
                                    && text(cache.getCurrentData(one.path + "/n19")).equals("19"));
            for (int i = 0; i < 20; i++) {
                writer.delete().forPath(one.path + "/n" + i);
            }
            Case.await("the first alone", () -> cache.getCurrentData().size() == 1);
        }
    }

    private static String name(Case one, ChildData node) {
        return node.getPath().substring(one.path.length());
    }

    static byte[] bytes(String text) {
        return text.getBytes();
    }

    static String text(ChildData node) {
        return new String(node.getData());
    }
}
