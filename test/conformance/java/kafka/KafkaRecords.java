import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;

/**
 * Numbered records through the brokers BROKERS: {@code KafkaRecords BROKERS}. A line of standard input
 * asks for {@code topic NAME PARTITIONS}, {@code produce NAME COUNT} or {@code consume NAME COUNT}, or
 * {@code insync NAME COPIES}; {@code = passed} or {@code = failed WHY} ends each. Record n goes to
 * partition n modulo PARTITIONS.
 */
public final class KafkaRecords {
    private static final int COPIES = 3;
    private static final int VALUE_BYTES = 200;
    private static final int WITHIN_S = 240;

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            int number = Integer.parseInt(words[2]);
            try {
                switch (words[0]) {
                    case "topic":
                        createTopic(args[0], words[1], number);
                        break;
                    case "produce":
                        produce(args[0], words[1], number, in);
                        break;
                    case "consume":
                        consume(args[0], words[1], number);
                        break;
                    case "insync":
                        awaitCopies(args[0], words[1], number);
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

    private static Map<String, Object> settings(String brokers) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", brokers);
        settings.put("reconnect.backoff.max.ms", 500);
        return settings;
    }

    private static void createTopic(String brokers, String name, int partitions) throws Exception {
        try (Admin admin = Admin.create(settings(brokers))) {
            NewTopic topic =
                    new NewTopic(name, partitions, (short) COPIES)
                            .configs(Map.of("min.insync.replicas", "2"));
            admin.createTopics(List.of(topic)).all().get(WITHIN_S, TimeUnit.SECONDS);
        }
        awaitCopies(brokers, name, COPIES);
    }

    /** Until every partition has a leader and so many copies in sync. */
    private static void awaitCopies(String brokers, String name, int copies) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WITHIN_S);
        String found = "";
        try (Admin admin = Admin.create(settings(brokers))) {
            while (System.nanoTime() < deadline) {
                List<TopicPartitionInfo> partitions = List.of();
                try {
                    partitions =
                            admin.describeTopics(List.of(name))
                                    .allTopicNames()
                                    .get(30, TimeUnit.SECONDS)
                                    .get(name)
                                    .partitions();
                } catch (java.util.concurrent.ExecutionException e) {
                    if (!(e.getCause() instanceof RetriableException)) throw e;
                }
                found = partitions.toString();
                if (!partitions.isEmpty()
                        && partitions.stream()
                                .allMatch(p -> p.leader() != null && p.isr().size() == copies)) {
                    return;
                }
                Thread.sleep(100);
            }
        }
        throw new AssertionError("not " + copies + " copies in sync: " + found);
    }

    /** Says when a quarter and when half of the records are under way, and does not stop for it. */
    private static void produce(String brokers, String name, int count, BufferedReader in)
            throws Exception {
        Map<String, Object> settings = settings(brokers);
        settings.put("acks", "all");
        settings.put("enable.idempotence", true);
        settings.put("delivery.timeout.ms", WITHIN_S * 1000);
        settings.put("max.block.ms", WITHIN_S * 1000);
        settings.put("linger.ms", 5);
        // Little room: the producer is at most that far ahead of the brokers.
        settings.put("buffer.memory", 1 << 20);
        AtomicLong acknowledged = new AtomicLong();
        try (KafkaProducer<Long, byte[]> producer =
                new KafkaProducer<>(settings, new LongSerializer(), new ByteArraySerializer())) {
            int partitions = producer.partitionsFor(name).size();
            Future<?> last = null;
            for (int n = 0; n < count; n++) {
                if (n == count / 4) tell(in, "quarter");
                if (n == count / 2) tell(in, "half");
                last =
                        producer.send(
                                new ProducerRecord<>(name, n % partitions, (long) n, new byte[VALUE_BYTES]),
                                (metadata, error) -> {
                                    if (error == null) acknowledged.incrementAndGet();
                                    else System.err.println(error);
                                });
            }
            producer.flush();
            last.get(1, TimeUnit.SECONDS);
        }
        if (acknowledged.get() != count) {
            throw new AssertionError(acknowledged.get() + " of " + count + " were acknowledged");
        }
    }

    private static void tell(BufferedReader in, String what) throws Exception {
        System.out.println("> " + what);
        in.readLine();
    }

    /** Every record once, and in order within its partition. */
    private static void consume(String brokers, String name, int count) throws Exception {
        Map<String, Object> settings = settings(brokers);
        settings.put("auto.offset.reset", "earliest");
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WITHIN_S);
        try (KafkaConsumer<Long, byte[]> consumer =
                new KafkaConsumer<>(settings, new LongDeserializer(), new ByteArrayDeserializer())) {
            int partitions = consumer.partitionsFor(name).size();
            List<TopicPartition> all =
                    IntStream.range(0, partitions)
                            .mapToObj(partition -> new TopicPartition(name, partition))
                            .collect(Collectors.toList());
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long[] next = IntStream.range(0, partitions).asLongStream().toArray();
            long seen = 0;
            long end = consumer.endOffsets(all).values().stream().mapToLong(Long::longValue).sum();
            if (end != count) throw new AssertionError("the logs hold " + end + " of " + count);
            while (seen < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<Long, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (record.key() != next[record.partition()]) {
                        throw new AssertionError(
                                "after " + seen + ": expected " + next[record.partition()]
                                        + " in partition " + record.partition() + ", found " + record.key());
                    }
                    next[record.partition()] += partitions;
                    seen += 1;
                }
            }
            if (seen != count) throw new AssertionError("read " + seen + ": " + Arrays.toString(next));
        }
    }
}
