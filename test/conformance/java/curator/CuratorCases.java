import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Recipes of Curator against the servers HOSTS: {@code CuratorCases HOSTS}. A line of standard input,
 * {@code CASE PATH ARGUMENT...}, asks for a case; {@code = passed} or {@code = failed WHY} ends it.
 */
public final class CuratorCases {
    interface Body {
        void run(Case one) throws Exception;
    }

    private static final Map<String, Body> CASES = new HashMap<>();

    static {
        CASES.put("counter", LockCases::counter);
        CASES.put("barriers", LockCases::barriers);
        CASES.put("latch", LeaderCases::latch);
        CASES.put("selector", LeaderCases::selector);
        CASES.put("cache", CacheCases::curatorCache);
        CASES.put("children", CacheCases::pathChildrenCache);
        CASES.put("persistent", NodeCases::persistentNode);
        CASES.put("ttl", NodeCases::persistentTtlNode);
        CASES.put("containers", NodeCases::containers);
        CASES.put("transactions", NodeCases::transactions);
        CASES.put("discovery", DiscoveryCases::services);
        CASES.put("ensemble", EnsembleCases::known);
        CASES.put("changes", EnsembleCases::changes);
        CASES.put("kill", KillCase::run);
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        PrintStream out = System.out;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            List<String> words = Arrays.asList(line.split(" "));
            List<String> arguments = words.subList(2, words.size());
            try (Case one = new Case(args[0], words.get(1), arguments, in, out)) {
                CASES.get(words.get(0)).run(one);
                out.println("= passed");
            } catch (Throwable thrown) {
                StringWriter trace = new StringWriter();
                thrown.printStackTrace(new PrintWriter(trace));
                out.println("= failed " + trace.toString().replaceAll("\\s+", " "));
            }
            out.flush();
        }
        System.exit(0);
    }
}
