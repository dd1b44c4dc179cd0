"""Which Tk this is: the one place that looks, for what 8.6 and 9 do differently."""

import tkinter as tk

TK_9 = tk.TkVersion >= 8.7  # its changes came with alphas that were called 8.7
