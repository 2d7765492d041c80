"""The promoted model answers, online: several models, swapped while they answer, every answer on record.

supervisor          `workbench serve` itself: one socket, workers that are started again
worker              one process: uvicorn, the application, the engine
housekeeping        the prediction log compacted from time to time, in a process of its own
shadow_process      the process that asks shadows, and only gets what others leave of the processors
shadow_place        when it runs: the supervisor's part
shadow  mirrored    one shadow: reads from the log what was asked, and puts its answers beside those that were given
shadow_note         what it says of itself to the workers
http                protocols, limits, keys, metrics: makes questions of requests
engine              the models of one worker: ask, start, stop
keeping  watching   the thread that follows the audit trail: loads beside what serves, and switches
served_model        one model: who answers, its lanes, one version giving way to another
trial  guard        the canary; when it is taken back
joining             questions that came together, answered together as if each came alone
recording           answers on record before they are given
lane  asked         what stands in line before a model, and is answered once
last_good           what served last, for when the ledger is away at the start
served  shortcut    one version, tried and warm; its answers without a data frame
listening           the socket that workers accept from
metrics_folder      through which they count together
failing  priority   when what failed is tried again; work that only takes what is left
orders              what supervisor and worker tell each other
answers             what is asked, what is answered, and why something is refused; the words that the parts share
"""
