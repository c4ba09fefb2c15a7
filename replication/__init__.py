"""How processes hear each other: streams of facts in sharded, fenced logs.

A library that knows nothing of what the facts are about. A *family* of shards is a set of logs; a *shard* is one log
with one owner at a time; a *fact* is one row of one stream in one shard; its *number* is its place in that log.

* `numbers`    a shard and a counter packed into 64 bits
* `streams`    what a stream is, and the facts it carries
* `positions`  vectors of counters, and tokens made of them
* `shards`     leases, epochs, the fence
* `batch`      one attempt to store many appends in one transaction
* `committer`  group commit: which appends go together, what happens after a failure
* `log`        what features use to append facts
* `bus`        frames from owners to readers (memory; others come with the workers)
* `metered_bus` a bus that counts
* `lag`        how far a reader is behind what is committed
* `owned`      what has to run where a shard is owned
* `reader`     a process's view: positions, gaps, refills, recent facts
* `ports`      what this library asks of its surroundings
"""
