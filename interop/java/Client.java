import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A client over netty's epoll sockets: java Client PATH [CASE... | load CALLERS | hold KEEPALIVE_MILLIS]
 *
 * <p>It runs the interop cases of gRPC, if none is named, and prints a line for each. load calls with several
 * callers, for each line of its input so many milliseconds, or with 0 until the next line, and prints what came of
 * it. hold has a stream open that is silent until there is a line to be read.
 */
final class Client {
    static ManagedChannel connect(String path, long keepalive) {
        var builder = NettyChannelBuilder.forAddress(new DomainSocketAddress(path))
                .channelType(EpollDomainSocketChannel.class)
                .eventLoopGroup(new EpollEventLoopGroup(1))
                .usePlaintext();
        if (keepalive > 0) {
            builder.keepAliveTime(keepalive, TimeUnit.MILLISECONDS);
        }
        return builder.build();
    }

    public static void main(String[] args) throws Exception {
        boolean commanded = args.length == 3 && (args[1].equals("load") || args[1].equals("hold"));
        int number = commanded ? Integer.parseInt(args[2]) : 0;
        ManagedChannel channel = connect(args[0], commanded && args[1].equals("hold") ? number : 0);
        if (!commanded) {
            run(new Cases(channel), Arrays.asList(args).subList(1, args.length));
        } else if (args[1].equals("load")) {
            load(channel, number);
        } else {
            hold(new Cases(channel));
        }
        System.exit(0);
    }

    static void run(Cases cases, List<String> wanted) {
        for (String name : wanted.isEmpty() ? new ArrayList<>(cases.grpc.keySet()) : wanted) {
            try {
                cases.grpc.getOrDefault(name, cases.more.get(name)).run();
                System.out.println("ok " + name);
            } catch (Exception | AssertionError e) {
                System.out.println("failed " + name + ": " + Cases.shortened(e));
            }
        }
    }

    static void hold(Cases cases) throws Exception {
        var call = cases.stream(Methods.DUPLEX, CallOptions.DEFAULT);
        Cases.exchange(call, 1, 1);
        System.out.println("ready");
        System.in.read();
        try {
            Cases.exchange(call, 1, 1);
            call.end();
            Cases.same(call.receive(), null);
            System.out.println("ok");
        } catch (Exception | AssertionError e) {
            System.out.println("failed " + Cases.shortened(e));
        }
    }

    /** What came of the calls of one caller. */
    private static final class Tally {
        final List<long[]> took = new ArrayList<>(); // when each success came, and how long it had taken
        final Map<Integer, Integer> codes = new TreeMap<>();
        String text = "";
    }

    private static final String END = "";
    private static volatile boolean over;

    static void load(ManagedChannel channel, int callers) throws Exception {
        BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        Thread reader = new Thread(() -> {
            try (var in = new BufferedReader(new InputStreamReader(System.in))) {
                for (String line; (line = in.readLine()) != null; ) {
                    lines.add(line);
                }
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            } finally {
                lines.add(END);
            }
        });
        reader.setDaemon(true);
        reader.start();
        System.out.println("ready");
        for (String line; !(line = lines.take()).equals(END); ) {
            long millis = Long.parseLong(line);
            long began = System.nanoTime();
            over = false;
            Tally[] tallies = new Tally[callers];
            Thread[] threads = new Thread[callers];
            for (int i = 0; i < callers; i++) {
                Tally tally = tallies[i] = new Tally();
                threads[i] = new Thread(() -> call(channel, tally));
                threads[i].start();
            }
            if (millis > 0) {
                Thread.sleep(millis);
            } else {
                while (lines.isEmpty()) {
                    Thread.sleep(5);
                }
            }
            over = true;
            for (Thread thread : threads) {
                thread.join();
            }
            report(tallies, began, System.nanoTime());
        }
    }

    private static void call(ManagedChannel channel, Tally tally) {
        var request = Cases.simple(64, 64);
        while (!over) {
            long began = System.nanoTime();
            try {
                ClientCalls.blockingUnaryCall(channel, Methods.UNARY, Cases.options(), request);
                long now = System.nanoTime();
                tally.took.add(new long[] {now, now - began});
            } catch (StatusRuntimeException e) {
                tally.codes.merge(e.getStatus().getCode().value(), 1, Integer::sum);
                if (tally.text.isEmpty()) {
                    tally.text = Cases.shortened(e);
                }
                try {
                    Thread.sleep(10); // after a failure
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    private static void report(Tally[] tallies, long began, long ended) {
        List<long[]> took = new ArrayList<>();
        Map<Integer, Integer> codes = new TreeMap<>();
        String text = "";
        for (Tally tally : tallies) {
            took.addAll(tally.took);
            tally.codes.forEach((code, n) -> codes.merge(code, n, Integer::sum));
            text = text.isEmpty() ? tally.text : text;
        }
        int failed = codes.values().stream().mapToInt(Integer::intValue).sum();
        long gap = 0;
        long success = began;
        took.sort((a, b) -> Long.compare(a[0], b[0]));
        for (long[] one : took) {
            gap = Math.max(gap, one[0] - success);
            success = one[0];
        }
        gap = Math.max(gap, ended - success);
        long[] times = took.stream().mapToLong(one -> one[1]).sorted().toArray();
        List<String> counts = new ArrayList<>();
        codes.forEach((code, n) -> counts.add("\"" + code + "\": " + n));
        System.out.printf(
                "{\"calls\": %d, \"failed\": %d, \"seconds\": %f, \"gap\": %f, \"median\": %.9f, \"codes\": {%s}, \"text\": \"%s\"}%n",
                times.length + failed,
                failed,
                (ended - began) / 1e9,
                gap / 1e9,
                times.length == 0 ? 0 : times[times.length / 2] / 1e9,
                String.join(", ", counts),
                text.replace("\\", "\\\\").replace("\"", "'"));
    }
}
