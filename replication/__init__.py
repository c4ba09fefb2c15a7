"""How processes hear each other: streams of facts in sharded, fenced logs.

A library that knows nothing of what the facts are about. A *family* of shards is a set of logs; a *shard* is one log
with one owner at a time; a *fact* is one row of one stream in one shard; its *number* is its place in that log.

What a log is, and writing to it:

* `numbers`     a shard and a counter packed into 64 bits
* `streams`     what a stream is, and the facts it carries
* `positions`   vectors of counters, and tokens made of them
* `shards`      leases, epochs, the fence
* `batch`       one attempt to store many appends in one transaction
* `committer`   group commit: which appends go together, what happens after a failure
* `log`         what features use to append facts

Reading it:

* `bus`         frames from owners to readers, within one process
* `shared_bus`  the same between processes: `codec` makes bytes of frames, `hub_carrier` (TCP) or `redis_carrier` takes
                them over
* `reader`      a process's view: positions, gaps, refills; `recent` facts, `lag`
* `freshness`   reading what others have just written
* `barrier`     waiting until every process has heard of something

Sharing the work:

* `registry`    which processes there are, and that they live
* `rendezvous`  who should own what
* `ownership`   beating, looking around, giving and taking shards
* `calls`       calls between processes over TCP
* `owned`       what has to run where a shard is owned; `twins` stand in for it elsewhere

`ports` is what this library asks of its surroundings; SQL is in `sql`.
"""
