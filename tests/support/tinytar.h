/* An archive as small as can be, for tests of who has it unpacked. */
#ifndef FETCHFS_TESTS_TINYTAR_H
#define FETCHFS_TESTS_TINYTAR_H

/* Make @path a tar of one file, "file", with the five bytes "bytes"; aborts the test if it cannot.
 */
void tinytar_make(const char *path);

#endif
