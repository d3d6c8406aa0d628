package quorate.test;

import java.io.File;
import java.io.FileWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * One Quorate server, in a process of its own, from the settings that a test gave to the server that it
 * wanted to start within the JVM.
 *
 * <p>The system property quorate.bundle is the path of quorate.js, quorate.node that of Node.js.
 */
public final class QuorateProcess {
    private static final long SERVES_WITHIN_MS = 60_000;
    private static final String PROPERTY = "zookeeper.";
    private static final Pattern UNPREFIXED =
            Pattern.compile("jute\\.maxbuffer|readonlymode\\.enabled|znode\\.container\\..*");

    private final int clientPort;
    private final int httpPort;
    private final boolean aloneInEnsemble;
    private final Process process;
    private final Thread killer;

    private QuorateProcess(int clientPort, int httpPort, boolean alone, Process process) {
        this.clientPort = clientPort;
        this.httpPort = httpPort;
        this.aloneInEnsemble = alone;
        this.process = process;
        this.killer = new Thread(process::destroyForcibly);
        Runtime.getRuntime().addShutdownHook(killer);
    }

    /** Starts a server on the lines of a zoo.cfg; one that stands alone serves when this returns. */
    public static QuorateProcess start(Map<String, String> settings) throws IOException {
        Map<String, String> lines = new TreeMap<>(systemProperties());
        lines.putAll(settings);
        if ("0".equals(lines.get("clientPort"))) {
            lines.put("clientPort", String.valueOf(freePort()));
        }
        lines.put("quorate.httpPort", String.valueOf(freePort()));
        boolean alone = lines.keySet().stream().noneMatch(key -> key.startsWith("server."));
        if (alone) {
            lines.put("quorate.peerPort", String.valueOf(freePort()));
        }
        lines.put("4lw.commands.whitelist", lines.getOrDefault("4lw.commands.whitelist", "*"));
        Path file = Files.createTempFile("quorate-", ".cfg");
        try (Writer writer = new FileWriter(file.toFile())) {
            for (Map.Entry<String, String> line : lines.entrySet()) {
                writer.write(line.getKey() + "=" + line.getValue() + "\n");
            }
        }
        file.toFile().deleteOnExit();
        Process process =
                new ProcessBuilder(
                                System.getProperty("quorate.node"),
                                System.getProperty("quorate.bundle"),
                                "serve",
                                file.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(
                                ProcessBuilder.Redirect.appendTo(
                                        new File(System.getProperty("quorate.log"))))
                        .start();
        int port = Integer.parseInt(lines.get("clientPort"));
        int httpPort = Integer.parseInt(lines.get("quorate.httpPort"));
        QuorateProcess server = new QuorateProcess(port, httpPort, alone, process);
        server.waitUntilItServes();
        return server;
    }

    public int clientPort() {
        return clientPort;
    }

    /** SIGTERM, and SIGKILL for one that does not heed it. */
    public void stop() {
        process.destroy();
        end(20);
    }

    public void kill() {
        process.destroyForcibly();
        end(20);
    }

    private void end(int seconds) {
        try {
            if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(killer);
        } catch (IllegalStateException e) {
            // The JVM ends, and so does the server.
        }
    }

    /** A server of an ensemble serves when the others are up: then its port being open is enough. */
    private void waitUntilItServes() throws IOException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(SERVES_WITHIN_MS);
        while (process.isAlive() && System.nanoTime() < deadline) {
            if (aloneInEnsemble ? servesAlone() : ask("ruok").contains("imok")) {
                return;
            }
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                kill();
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while the server started");
            }
        }
        kill();
        throw new IOException("no server on port " + clientPort + ", code " + process.exitValue());
    }

    /**
     * It also has written its first configuration, for which a watch of everything below the root would
     * have an event; ZooKeeper has its own before it listens.
     */
    private boolean servesAlone() {
        return ask("srvr").contains("Mode: ") && configuration().contains("version=");
    }

    private String configuration() {
        String place = "http://127.0.0.1:" + httpPort + "/v1/znodes/zookeeper/config";
        try (InputStream body = URI.create(place).toURL().openStream()) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    private String ask(String word) {
        try (Socket socket = new Socket("127.0.0.1", clientPort)) {
            socket.setSoTimeout(5_000);
            socket.getOutputStream().write(word.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            return "";
        }
    }

    /**
     * The system properties of ZooKeeper that a test has set, as lines: a key that zoo.cfg does not know
     * is the system property zookeeper.KEY, and a few have no such prefix.
     */
    private static Map<String, String> systemProperties() {
        Map<String, String> lines = new TreeMap<>();
        for (String name : System.getProperties().stringPropertyNames()) {
            String value = System.getProperty(name);
            if (UNPREFIXED.matcher(name).matches()) {
                lines.put(name, value);
            } else if (name.startsWith(PROPERTY) && !name.equals("zookeeper.serverCnxnFactory")) {
                lines.put(name.substring(PROPERTY.length()), value);
            }
        }
        return lines;
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
