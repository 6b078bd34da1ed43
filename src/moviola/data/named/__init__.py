"""Published data sets by name, each in the layout in which its authors distribute it.

::

    source = open_source("kth:data/kth#train")     # NAME:PATH, NAME:PATH#SPLIT or NAME:PATH#SPLIT:COUNT

One module a data set; `moviola.data.named.registry.DATASETS` names them.
"""
