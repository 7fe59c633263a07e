package report

const introduction = `Calls between two processes on one machine. Server and client run in processes of their own,
started anew for each measurement. All peers carry the same messages of the same service, and
what comes back is compared with what was sent. Open files, which only udsgrpc carries, have a service
of their own and are compared with the same work without them. Go's settings are left alone: no pinning
to cores, no change of the garbage collector, but in the rows that say so.

This file is written by the benchmark; do not edit it.
`

const chartLegend = `The bars are medians. raw is left out where it is so far off that nothing else would be seen: it
copies bytes, in large writes, and does nothing for the single message.
`

const mediansLegend = `The median of %d rounds, and in brackets the lowest and the highest round. In each round the peers
take turns at every row, in a new random order. Bold is the best of a row (raw does not
count: it is the limit, not a way to call a service). A ~ marks rounds that spread too much, see
below.

`

const ratiosLegend = `Each value is the median of the ratios of the single rounds, so what slows the machine down for a
while slows both sides of a ratio; in brackets the lowest and the highest. **Bold: the other peer is
ahead.** A ~ marks a ratio that this run cannot tell: the middle half of its rounds spreads over
more than %.0f %% of the median, or there were fewer than three rounds.

`

const meaning = "" +
	"- **p50, p99**: half, and 99 %, of the round trips took at most that long, as the caller sees it.\n" +
	"- **CPU**: user and system time of server and client together, as `getrusage` counts it, divided by the calls.\n" +
	"- **allocations**: objects allocated on the heaps of server and client together, divided by the calls.\n" +
	"- **deadline**: every call has a context of its own, made with `context.WithTimeout` for 5 s. Other calls have a context that never ends.\n" +
	"- **64 and 1,000 callers**: goroutines of one client process that share one client and call as fast as they can.\n" +
	"- **1 MiB**: calls in a second, times 1 MiB. The payload goes there and back, but is counted once.\n" +
	"- **ping-pong**: one message there and one back on an open bidirectional stream.\n" +
	"- **server stream, client stream**: messages in a second, over streams of 5,000 messages each, one after another.\n" +
	"- **from dial to the first reply**: a new client each time; the server runs and has been called before.\n" +
	"- **800 callers begin together**: goroutines that call at the same moment through a client that nobody has used before; how long each waited for its first reply. Three clients one after another.\n" +
	"- **idle clients**: one client calls while that many others, each with a connection that has carried one call, are silent.\n" +
	"- **per idle client**: what 1,000 such clients add to the server, divided by 1,000; heap and stacks in use after two garbage collections, resident memory, file descriptors.\n" +
	"- **registered services**: copies of the service under other names.\n" +
	"- **open files**: calls with that many open files, which the server takes and closes. The call without is the same call between the same processes. The two take turns of a few hundredths of a second, and *against none* is the median of the ratios of these turns.\n" +
	"- **64 MiB that the server adds up**: the bytes are in messages of 1 MiB of a client stream; or in a sealed memory file (memfd) that exists before the calls and goes with each, which the server maps, adds up and unmaps in parts that its cores take one after another; a message is added up by the goroutine that receives it, while the sender is busy with the next. *Against messages* is as *against none*.\n" +
	"- **one core for both processes**: server and client may use one core, the same one. **Every core busy**: another process has a thread for each core that computes all the time. **GOMAXPROCS=1**: both processes run one goroutine at a time, on any core.\n"

const repeat = "At the root of a checkout:\n\n" +
	"```sh\n" +
	"make bench           # all of it; writes docs/benchmarks\n" +
	"make bench QUICK=1   # under a minute, noisier; writes a new directory and says which\n" +
	"```\n\n" +
	"or a part of it, in the directory `bench`:\n\n" +
	"```sh at=bench\n" +
	"go run . -only 'udsgrpc|ttrpc/unary' -rounds 20\n" +
	"```\n\n" +
	"Every row can be had under every condition by its name: `-only '/ping-pong@busy'`, or `@one-core`, or\n" +
	"`@gomaxprocs-1`. A whole run has three rows under each.\n\n" +
	"Whether a change makes something slower, against any revision of this project. Its program is built in a\n" +
	"temporary worktree of git, and its peers take turns with those of the checkout in the same rounds. With nothing\n" +
	"else said that is done with udsgrpc, udsgrpc-http2 and, to see the noise, raw:\n\n" +
	"```sh\n" +
	"make bench AGAINST=main           # prints a table and a verdict; writes results.json to a new directory\n" +
	"make bench AGAINST=main QUICK=1   # noisier\n" +
	"```\n\n" +
	"The gain in that table is the median of the ratios of the single rounds, with the lowest and the highest,\n" +
	"in the direction in which higher is better whatever the row. A row is worse when not even the highest reaches\n" +
	"0.97. For scripts, `-worst` sets that bound and makes a worse row a failure; `-only` and `-rounds` are as above:\n\n" +
	"```sh norun=\"its status depends on the results\"\n" +
	"make bench AGAINST=main ARGS=\"-only '/unary.*|ping-pong' -rounds 20 -worst 0.97\"\n" +
	"```\n\n" +
	"How results compare with the targets of this project, with a failure if one is missed:\n\n" +
	"```sh norun=\"its status depends on the results\"\n" +
	"go run . -bars ../docs/benchmarks/results.json\n" +
	"```\n"
