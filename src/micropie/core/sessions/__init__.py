"""Where sessions live between requests, how they are saved, and the rules of their cookie.

A session begins when a request without one has put something into it. Each later request brings its id in the cookie:
`SessionStore.load` finds what the backend knows by that before the hooks run, and `request.session` makes a `Session`
of it when somebody first looks. Behind the after hooks `SessionStore.save` looks at what has become of it:

    what the request has done       what is done with the session                      where
    put the first value into it     stored under a fresh id, which the cookie brings   SessionWriter.create
    not looked, or changed nothing  its expiry is pushed                               SessionWriter.push
    changed values                  those alone are written, on what is stored then    Rotations.change
    called rotate()                 stored under a fresh id, then the old one goes     Rotations.rotate
    made it nobody's                changed, also where it went by a rotation          Rotations.log_out
    emptied it                      deleted, and the cookie expires                    Rotations.end

Nothing is saved of a request that failed, or whose session could not be loaded (`request._failure`), nor of the session
that an outer application has put into the scope: it saves that itself. Of the memory, what needs no wait is loaded and
saved without a coroutine (`save_at_once`), by the same rules.

Requests of one session run at the same time. What keeps them from harm to each other:

    one loses what another stored   only changes are written, in the backend's one step or in turns   writer
    one revives what has ended      a change or a push of what is not stored does nothing             writer
    two rotate one session          they take turns, and the second one finds where it went           rotations
    it was rotated, then changes    what nobody has changed since is written where it went            rotations
    it left its user, then changes  nothing of that goes to who has it then                           rotation_notes
    it was rotated, then ends       it ends under the id that it has by then                          rotations
    who holds a planted, stolen id  gets nothing that was stored at the rotation or later             rotation_notes

Where a session went is known for a minute, and asked for only where nothing is stored under the old id. Not kept is a
change that is over later, and one that another process stores under the old id in the few milliseconds between a
rotation's last look at that and its deletion.

A backend knows nothing of all that, but ids and plain dicts: `backends`. `cookie` has what browsers are told.
"""
