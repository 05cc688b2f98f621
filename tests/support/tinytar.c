#include "tests/support/tinytar.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512

void tinytar_make(const char *path)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char tar[4 * BLOCK] = "file";
	unsigned int sum = 0;

	strcpy(tar + 100, "0000644");
	strcpy(tar + 124, "00000000005");
	strcpy(tar + 136, "00000000000");
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)tar[i];
	snprintf(tar + 148, 8, "%06o", sum);
	memcpy(tar + BLOCK, "bytes", 5);
	if (fd_write_all(fd, tar, sizeof(tar)) < 0)
		abort();
}
