#!/usr/bin/env bash
# netty (epoll domain sockets, also those of grpc-java): whatever is at the path of a new server's socket is deleted.
#
# Surprise: bind(2) on a path that exists fails with "address already in use", and so one expects a server to do. netty
# unlinks the path first: a file with data is gone, and the socket of a server that runs is no longer to be found,
# both without an error or a line in a log.
# Who meets it: grpc-java servers on Unix sockets that are started twice, or with a wrong path.
# Seen since: netty of grpc-netty-shaded 1.85.1.
# Source: the native part of netty, where a socket is bound:
# https://github.com/netty/netty/blob/4.1/transport-native-unix-common/src/main/c/netty_unix_socket.c
source "$(dirname "$0")/common.bash"
need java javac mvn

mkdir "$work/java"
cat >"$work/java/pom.xml" <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>0</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.grpc</groupId><artifactId>grpc-netty-shaded</artifactId><version>1.85.1</version></dependency>
  </dependencies>
</project>
XML
quietly mvn --quiet --batch-mode --file "$work/java/pom.xml" dependency:copy-dependencies \
	-DincludeScope=runtime -DoutputDirectory="$work/java/lib" || unavailable 'the packages of grpc-java'
cat >"$work/java/Probe.java" <<'JAVA'
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.epoll.*;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.*;

class Probe {
    static String start(Path path) {
        Server server = NettyServerBuilder.forAddress(new DomainSocketAddress(path.toString()))
                .channelType(EpollServerDomainSocketChannel.class)
                .bossEventLoopGroup(new EpollEventLoopGroup(1))
                .workerEventLoopGroup(new EpollEventLoopGroup(1))
                .build();
        try {
            server.start();
            return "starts";
        } catch (Exception e) {
            return "fails: " + e.getMessage();
        }
    }

    public static void main(String[] args) throws Exception {
        Path socket = Path.of(args[0], "s");
        start(socket);
        Object before = Files.getAttribute(socket, "unix:ino");
        Path kept = Files.createLink(Path.of(args[0], "kept"), socket); // so that its inode number is not used again
        String outcome = start(socket);
        boolean same = before.equals(Files.getAttribute(socket, "unix:ino"));
        System.out.println("on the socket of a running server: " + outcome + "; its socket is there: " + same);
        Path file = Files.writeString(Path.of(args[0], "file"), "data");
        outcome = start(file);
        System.out.println("on a file: " + outcome + "; the file is there: " + Files.isRegularFile(file));
        System.exit(0);
    }
}
JAVA
quietly javac -d "$work/java" -cp "$work/java/lib/*" "$work/java/Probe.java" || unavailable 'the program does not compile'
echo "versions: grpc-netty-shaded 1.85.1, $(java --version | head -n 1), Linux $(uname -r)"
mkdir "$work/run"
verdict 'both fail, and socket and file are still there' \
	'^on a file: starts; the file is there: false' \
	"$(java -cp "$work/java:$work/java/lib/*" Probe "$work/run" 2>/dev/null)"
