package quorate.test;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * {@code Suites CLASS EXCEPT...} runs a class of tests without the methods that are named, and prints a
 * line for each test: {@code RESULT passed|failed|skipped CLASS#METHOD MILLISECONDS WHY}.
 */
public final class Suites {
    public static void main(String[] args) {
        PrintStream out = System.out;
        // What tests print must not end up within a line of ours.
        System.setOut(System.err);
        Set<String> except = new HashSet<>(Arrays.asList(args).subList(1, args.length));
        PostDiscoveryFilter others =
                test ->
                        FilterResult.includedIf(
                                test.getSource()
                                        .filter(MethodSource.class::isInstance)
                                        .map(MethodSource.class::cast)
                                        .map(method -> !except.contains(method.getMethodName()))
                                        .orElse(true));
        LauncherDiscoveryRequest request =
                LauncherDiscoveryRequestBuilder.request()
                        .selectors(selectClass(args[0]))
                        .filters(others)
                        .build();
        LauncherFactory.create().execute(request, new Lines(out));
        // Threads that a test left behind do not hold it up.
        System.exit(0);
    }

    private static final class Lines implements TestExecutionListener {
        private final PrintStream out;
        private long startedAt;

        Lines(PrintStream out) {
            this.out = out;
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            if (test.isTest()) {
                startedAt = System.nanoTime();
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            print("skipped", test, reason);
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
            // A class that could not be set up has tests that were never begun.
            if (!test.isTest() && passed) {
                return;
            }
            String why = result.getThrowable().map(Lines::shortly).orElse("");
            String status = result.getStatus() == TestExecutionResult.Status.ABORTED ? "skipped" : "failed";
            print(passed ? "passed" : status, test, why);
        }

        private void print(String status, TestIdentifier test, String why) {
            String name =
                    test.getSource()
                            .filter(MethodSource.class::isInstance)
                            .map(MethodSource.class::cast)
                            .map(method -> method.getClassName() + "#" + method.getMethodName())
                            .orElse(test.getLegacyReportingName());
            long ms = (System.nanoTime() - startedAt) / 1_000_000;
            out.println("RESULT " + status + " " + name + " " + ms + " " + why);
            out.flush();
        }

        private static String shortly(Throwable thrown) {
            StringBuilder text = new StringBuilder(String.valueOf(thrown));
            for (StackTraceElement at : thrown.getStackTrace()) {
                if (text.length() < 1_500 && at.getClassName().startsWith("org.apache")) {
                    text.append(" <- ").append(at);
                }
            }
            return text.toString().replaceAll("\\s+", " ");
        }
    }
}
