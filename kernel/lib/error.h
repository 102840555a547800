/* The one list of errors.  Functions return 0 (or a count) or one of these, negative. */
#ifndef KERNEL_LIB_ERROR_H
#define KERNEL_LIB_ERROR_H

enum error {
	ERR_INVAL = -1,   /* an argument is out of its range */
	ERR_NOMEM = -2,   /* no memory for it */
	ERR_NOENT = -3,   /* no such thing */
	ERR_EXIST = -4,   /* there is one already */
	ERR_PERM = -5,    /* not for this process */
	ERR_FAULT = -6,   /* an address that is not mapped (or not writable) */
	ERR_AGAIN = -7,   /* not now: nothing to read, or no room to write */
	ERR_STATE = -8,   /* not in this state */
	ERR_TIMEOUT = -9, /* the deadline passed */
	ERR_NOSYS = -10,  /* no such system call */
	ERR_TOOBIG = -11, /* larger than the limit */
	ERR_UNSUPPORTED = -12, /* the hardware or this version cannot do it */
};

/* A short text for error (negative), never NULL. */
const char *error_text(int error);

#endif
