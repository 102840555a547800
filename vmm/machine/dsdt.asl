/* What ACPI cannot say in tables: the sleep state S5, the PCI bus and the devices at fixed places.  The power
 * button, the PM timer and the reset register are fixed hardware (FADT); interrupt 9 is in the MADT. */
DefinitionBlock ("", "DSDT", 2, "QUIRE ", "QUIREPC ", 1)
{
    Name (\_S5, Package () { 5, 5, 0, 0 })  // PM_SLEEP_S5

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, Zero)
            Name (_SEG, Zero)
            Name (_BBN, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
            })

            // INTA# of every device is wired to interrupt 11 (PCI_IRQ), of the PICs and of the IOAPIC.
            Name (_PRT, Package ()
            {
                Package () { 0x0001FFFF, 0, 0, 11 },
                Package () { 0x0002FFFF, 0, 0, 11 },
                Package () { 0x0003FFFF, 0, 0, 11 },
                Package () { 0x0004FFFF, 0, 0, 11 }
            })

            // PCI Firmware 3.2 §4.5.1: the guest may control the PCI Express capability, nothing else is there.
            Method (_OSC, 4)
            {
                CreateDWordField (Arg3, 0, STAT)
                CreateDWordField (Arg3, 8, CTRL)
                If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
                {
                    STAT |= 4  // unknown UUID
                    Return (Arg3)
                }
                If (CTRL & ~0x10)
                {
                    CTRL &= 0x10
                    STAT |= 0x10  // some were masked
                }
                Return (Arg3)
            }
        }

        Device (RSVD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)  // ECAM_BASE
            })
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xFED00000, 0x00000400)  // HPET_BASE
            })
        }

        Device (RTC0)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 1, 2)
                IRQNoFlags () { 8 }
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }
    }
}
