/* Processors that come and go, by way of cpu_hotplug.h's registers.  A guest that can have n of them gets this table
 * cut off after the nth (acpi.c): what is about all of them comes first, as SSDT_SHARED objects, and each processor is
 * an object of its own.  vCPU 0 stays, whatever is ejected. */
#define SIXTEEN(do, h) \
	do(C0##h##0, 0x##h##0) do(C0##h##1, 0x##h##1) do(C0##h##2, 0x##h##2) do(C0##h##3, 0x##h##3) \
	do(C0##h##4, 0x##h##4) do(C0##h##5, 0x##h##5) do(C0##h##6, 0x##h##6) do(C0##h##7, 0x##h##7) \
	do(C0##h##8, 0x##h##8) do(C0##h##9, 0x##h##9) do(C0##h##A, 0x##h##A) do(C0##h##B, 0x##h##B) \
	do(C0##h##C, 0x##h##C) do(C0##h##D, 0x##h##D) do(C0##h##E, 0x##h##E) do(C0##h##F, 0x##h##F)
#define ALL(do) SIXTEEN(do, 0) SIXTEEN(do, 1) SIXTEEN(do, 2) SIXTEEN(do, 3) /* VCPU_MAX */

#define NOTIFY(name, n) If (Arg0 == n) { Notify (name, Arg1) }

#define PROCESSOR(name, n) \
	Device (\_SB.CPUS.name) \
	{ \
		Name (_HID, "ACPI0007") \
		Name (_UID, n) \
		Method (_STA) { Return (CSTA (n)) } \
		Method (_MAT) { Return (CMAT (n)) } \
		Method (_EJ0, 1) { CEJ0 (n) } \
		Method (_OST, 3) { COST (n, Arg0, Arg1) } \
	}

DefinitionBlock ("", "SSDT", 2, "QUIRE ", "QUIRECPU", 1)
{
    Device (\_SB.CPUS)
    {
        Name (_HID, "ACPI0010")
        Name (_CID, EisaId ("PNP0A05"))
        Name (_CRS, ResourceTemplate ()
        {
            IO (Decode16, 0x0610, 0x0610, 1, 4)  // CPU_HOTPLUG_BASE
        })
        OperationRegion (REGS, SystemIO, 0x0610, 4)
        Field (REGS, ByteAcc, NoLock, WriteAsZeros)
        {
            SELE, 8,
            STAT, 8,
            EVNT, 8,
            ANSW, 8
        }
        Mutex (MUTX, 0)  // from a selection to what it is for

        Method (CSTA, 1)
        {
            Acquire (MUTX, 0xFFFF)
            SELE = Arg0
            Local0 = (STAT & 1) * 0x0F
            Release (MUTX)
            Return (Local0)
        }

        Method (CMAT, 1)
        {
            Local0 = Buffer (8) { 0, 8, 0, 0, 2 }  // as in the MADT: online capable
            Local0 [2] = Arg0
            Local0 [3] = Arg0
            If (CSTA (Arg0)) { Local0 [4] = 1 }
            Return (Local0)
        }

        Method (CEJ0, 1)
        {
            Acquire (MUTX, 0xFFFF)
            SELE = Arg0
            STAT = 8
            Release (MUTX)
        }

        // Of a request to eject (3), or of one that the guest made itself (103h).
        Method (COST, 3)
        {
            If ((Arg1 & 0xFF) == 3)
            {
                Acquire (MUTX, 0xFFFF)
                SELE = Arg0
                ANSW = Arg2
                Release (MUTX)
            }
        }

        Method (CSCN, 0)
        {
            Acquire (MUTX, 0xFFFF)
            While (One)
            {
                Local0 = EVNT
                If (Local0 == 0xFF) { Break }
                SELE = Local0
                Local1 = STAT & 6
                STAT = Local1
                If (Local1 & 2) { CTFY (Local0, 1) }
                If (Local1 & 4) { CTFY (Local0, 3) }
            }
            Release (MUTX)
        }

        Method (CTFY, 2)
        {
            ALL (NOTIFY)
        }
    }

    Scope (\_GPE)
    {
        Method (_E02) { \_SB.CPUS.CSCN () }  // PM_GPE_CPU
    }

    ALL (PROCESSOR)
}
