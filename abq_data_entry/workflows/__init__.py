"""What the window and the command line do alike, a module a use case. No window, and nothing is printed or asked."""
