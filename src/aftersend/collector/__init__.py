"""The tracking server: a click in, a line in the spool, a redirect out. No database anywhere.

============================  ==================================================================
``GET|HEAD /r/<token>``       302 to the destination of the catalogue, cookies (spec §4.4)
``/r/<token>.gif``, ``.png``  the open: one transparent pixel, no cookies
``/r/<random>?tagid=…``       a web tag: the pixel, whatever is recorded of it
``/r/consent.js``             the script of consent banners; ``/r/consent`` is what it asks
``/r/test``                   ``<redir status='OK' …/>``; not logged
``/health``                   JSON; 200 ``ok``, or 503 ``red`` while lines wait for the disk
``/metrics``                  for Prometheus; from elsewhere with the registration password
``PUT /catalogue/<id>``       publish a catalogue          ⎫
``GET /logs``                 lines after a log id         ⎬ with the registration password
``POST /logs/acknowledge``    what a reader has stored     ⎭
============================  ==================================================================

What a hit gets:

====================  ================  ==============================  ========================
token                 link              click                           pixel
====================  ================  ==============================  ========================
ours                  known             302 with values                 image
ours                  unknown           404, not logged                 image (opens need no link)
bad tag               known             302 without values, flag ``u``  image, flag ``u``
bad tag               unknown delivery  404, not logged                 404, not logged
no token              –                 404, not logged                 404, not logged
ours, expired         known             302 to the substitute, or 410;  image, flag ``x``
                                        flag ``x``; no opt-out expires
====================  ================  ==============================  ========================

HEAD gets the same answer without a body and the flag ``h``. A pixel asked for with the token of a
click, or a click with that of the pixel, is an address that we never sent: it is answered as an
image and gets the flag ``u``. Upper case, an escaped slash, and what mail programs glue to the end
of an address (``=``, ``)``, ``.``, ``&…``, …) change nothing; query strings are ignored. An
address that was changed otherwise is not found.

Modules: `app` the way of a click, `catalogues` what it looks up, `cookie`, `client`, `page` its
small parts, `registration` the three guarded addresses, `flusher` the thread that syncs, `worker`
the HTTP server below, `server` a process around it, `embedded` the same inside another process,
`workers` several processes on one port. `recorder` is where every hit passes on its way into the
spool, within its `budget`; `metrics` counts, `snapshot` tells the others on the port, `status` and
`exposition` answer who wants to know.
"""
