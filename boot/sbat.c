/* The generation table that a Secure Boot shim reads to revoke old versions (rhboot/shim SBAT.md). */
#define SBAT_TEXT \
	"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n" \
	"quire,1,Quire,quire,1,https://example.org/quire\n"

__attribute__((section(".sbat"), used)) static const char sbat[sizeof(SBAT_TEXT) - 1] = SBAT_TEXT;
