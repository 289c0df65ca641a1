"""The tracking server: a click in, a line in the spool, a redirect out. No database anywhere.

=============================  =================================================================
``GET|HEAD /r/<token>``        302 to the destination of the catalogue, cookies (spec §4.4)
``/r/<token>.gif``, ``.png``   the open: one transparent pixel, no cookies
``/r/?id=<f><msg>,<dlv>,<u>``  a link of the older shape, where the settings want them
``/r/<random>?tagid=…``        a web tag: the pixel, whatever is recorded of it
``/r/consent.js``              the script of consent banners; ``/r/consent`` is what it asks
``/r/test``                    ``<redir status='OK' …/>``; not logged
``/r/ping/<nonce>``            who has the keys, signed, for who checks a public address
``/res/<path>``                public files: of images in messages, and the like
``/health``                    JSON; 200 ``ok``, or 503 ``red`` while lines wait for the disk
``/metrics``                   for Prometheus; from elsewhere with the registration password
``PUT|GET /registration``      whose tracking server this is        ⎫
``PUT|GET /catalogue/<id>``    publish a catalogue; show it         ⎪ with the
``GET /logs``                  lines after a log id                 ⎬ registration
``POST /logs/acknowledge``     what a reader has stored             ⎪ password
``GET /spare/res/<path>``      public files for servers of the set  ⎭
=============================  =================================================================

What a hit gets:

====================  ================  ==============================  ========================
token                 link              click                           pixel
====================  ================  ==============================  ========================
ours                  known             302 with values                 image
ours                  unknown           a spare server is asked; else   image (opens need no link)
                                        404, not logged
ours                  blocked           410, a page; flag ``b``         image
ours, expired         known             302 to the substitute of the    image, flag ``x``
                                        delivery or the server, or 410;
                                        flag ``x``; no opt-out expires
bad tag               known             302 without values, flag ``u``  image, flag ``u``
bad tag               unknown delivery  404, not logged                 404, not logged
older shape           known             as a bad tag; where the settings accept unsigned links: as
                                        ours, but it signs nothing: no session, no personal page
older shape           unknown           404, not logged                 404, not logged
no token              –                 404, not logged                 404, not logged
====================  ================  ==============================  ========================

HEAD gets the same answer without a body and the flag ``h``. A pixel asked for with the token of a
click, or a click with that of the pixel, is an address that we never sent: it is answered as an
image and gets the flag ``u``. Upper case, an escaped slash, and what mail programs glue to the end
of an address (``=``, ``)``, ``.``, ``&…``, …) change nothing; query strings beside a token are
ignored. An address that was changed otherwise is not found. A hit of a source that has used up its
budget is answered as any other, and not logged.

Modules, those of the thread that reads requests first: `app` who answers which address; `hit` the
way of a click, `legacy` that of an older link, `tag` that of a visit, `consent`, `ping`; what they
need: `catalogues`, `cookie`, `client`, `page`. `recorder` is where every hit passes on its way into
the spool, within its `budget`; `metrics` counts, `flusher` is the thread that syncs.

On an event loop beside: `late` hits whose catalogue is fetched first, by `spare`; `exchange`,
`registration`, `publication`, `logs` and `flow` the guarded addresses, behind their `guard`;
`resources` public files; `status`, `exposition`, and `snapshot` of the others on the port.

`worker` is the HTTP server below, `server` a process around it, `workers` several on one port,
`embedded` the same inside another process.
"""
