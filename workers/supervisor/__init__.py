"""All processes of a server on one machine: started, watched, started again when they die, and stopped together.

`programs` finds other servers' programs, `postgres` and `redis` make and run our own ones in the data folder,
`layout` says which processes there are, `child` is one of them, `supervisor` all. `tether` is what each is started by.
"""
