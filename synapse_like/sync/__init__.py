"""/sync: knows sections, not features.

* `tokens`    the client's place in all logs
* `section`   what a feature implements to have a part in the response
* `response`  the response as it is put together
* `notifier`  what ends long polls, and in which rooms something happened between two of them
* `timeline`  the section of events, state, summaries and memberships
* `whole_rooms`   rooms of which a client knows nothing, kept while nothing happens in them
* `logic`     one response: from memory if memory reaches back, else from one snapshot
* `api`       GET /sync
"""
