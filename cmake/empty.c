/* A shared library needs a source of its own; everything in it comes from the folders. */
