/* Texts of the error list. */
#include "kernel/lib/error.h"

const char *error_text(int error)
{
	switch (error) {
	case 0: return "no error";
	case ERR_INVAL: return "invalid argument";
	case ERR_NOMEM: return "out of memory";
	case ERR_NOENT: return "not found";
	case ERR_EXIST: return "exists already";
	case ERR_PERM: return "not permitted";
	case ERR_FAULT: return "bad address";
	case ERR_AGAIN: return "try again";
	case ERR_STATE: return "not possible in this state";
	case ERR_TIMEOUT: return "timed out";
	case ERR_NOSYS: return "no such system call";
	case ERR_TOOBIG: return "too big";
	case ERR_UNSUPPORTED: return "not supported";
	}
	return "unknown error";
}
