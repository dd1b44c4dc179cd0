"""The use cases that the window and the command line share, one module each. They don't print, ask, or use Tk."""
