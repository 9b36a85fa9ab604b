"""Where the runs of a sweep are executed: a module a launcher, each with one function.

    launch(plan, runs, settings, watch)   returns when all runs have come to an end, or are handed over

`runs` are those of the plan that are to be done, in their order; `settings` is a `settings.Settings`; `watch(notes)`
draws the state of all runs, with a few words besides on those that `notes` names (or without any): call it now and
then, and when all is over. The sweep's folder and the stores are there already.
"""
