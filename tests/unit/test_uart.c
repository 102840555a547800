/* The 16550A as Linux's 8250 driver finds and uses it. */
/* links: tests/unit/fake_machine.c vmm/machine/uart.c vmm/machine/pic.c vmm/machine/ioapic.c
 * vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

#include <string.h>

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	ioapic_attach(m);
	uart_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	uart_reset(m);
	m->ioapic.entry[4] = 0x34;
	return m;
}

static bool line(const struct machine *m)
{
	return m->ioapic.lines & BIT(4);
}

static void type(struct machine *m, const char *text)
{
	uart_receive(m, (const u8 *)text, (u32)strlen(text));
}

static void bytes_go_out_at_once(void **state)
{
	struct machine *m = setup();

	for (const char *c = "hello\r\n"; *c; c++) {
		assert_int_equal(fake_in(m, LSR, 1) & 0x60, 0x60);
		fake_out(m, DATA, 1, (u8)*c);
	}
	assert_int_equal(fake.console_len, 7);
	assert_memory_equal(fake.console, "hello\r\n", 7);
	assert_int_equal(fake.message_count, 0);
}

/* autoconfig() and autoconfig_16550a() of Linux's 8250 driver */
static void linux_finds_a_16550a(void **state)
{
	struct machine *m = setup();

	fake_out(m, IER, 1, 0);
	assert_int_equal(fake_in(m, IER, 1) & 0x0f, 0);
	fake_out(m, IER, 1, 0xff);
	assert_int_equal(fake_in(m, IER, 1), 0x0f);
	fake_out(m, IER, 1, 0);
	fake_out(m, MCR, 1, 0x1a);
	assert_int_equal(fake_in(m, MSR, 1) & 0xf0, 0x90);
	fake_out(m, MCR, 1, 0x20);
	assert_int_equal(fake_in(m, MCR, 1), 0); /* no automatic flow control */
	fake_out(m, LCR, 1, 0xbf);
	assert_int_not_equal(fake_in(m, IIR, 1), 0); /* no EFR */
	fake_out(m, LCR, 1, 0);
	fake_out(m, FCR, 1, 1);
	assert_int_equal(fake_in(m, IIR, 1), 0xc1);
	fake_out(m, FCR, 1, 0x21);
	assert_int_equal(fake_in(m, IIR, 1) >> 5, 6); /* no 64-byte FIFO */
	fake_out(m, FCR, 1, 0);
	assert_int_equal(fake_in(m, IIR, 1), 1);
	fake_out(m, SCR, 1, 0x5a);
	assert_int_equal(fake_in(m, SCR, 1), 0x5a);
}

static void divisor_is_behind_dlab(void **state)
{
	struct machine *m = setup();

	fake_out(m, LCR, 1, 0x83);
	fake_out(m, DATA, 2, 0x1234);
	assert_int_equal(fake_in(m, DATA, 2), 0x1234);
	fake_out(m, LCR, 1, 3);
	assert_int_equal(fake_in(m, IER, 1), 0);
	assert_int_equal(fake.console_len, 0);
}

/* serial8250_do_startup()'s test, and its interrupt-driven transmitter */
static void transmitter_interrupts(void **state)
{
	struct machine *m = setup();

	fake_out(m, MCR, 1, 0x0b);
	fake_out(m, IER, 1, 2);
	assert_true(line(m));
	assert_int_equal(fake_in(m, IIR, 1), 0x02);
	assert_int_equal(fake_in(m, IIR, 1), 0x01); /* reading it was the answer */
	assert_false(line(m));
	fake_out(m, IER, 1, 0);
	fake_out(m, IER, 1, 2);
	assert_int_equal(fake_in(m, IIR, 1), 0x02);
	fake.message_count = 0;
	fake_out(m, DATA, 1, 'x');
	assert_int_equal(fake.message_count, 1); /* a new edge for each byte */
	fake_out(m, DATA, 1, 'y');
	assert_int_equal(fake.message_count, 2);
	fake_out(m, IER, 1, 0);
	assert_false(line(m));
}

static void out2_connects_the_line(void **state)
{
	struct machine *m = setup();

	fake_out(m, IER, 1, 2);
	assert_false(line(m));
	fake_out(m, MCR, 1, 8);
	assert_true(line(m));
	fake_out(m, MCR, 1, 0x18);
	assert_false(line(m));
}

static void receiver_interrupts(void **state)
{
	struct machine *m = setup();

	fake_out(m, MCR, 1, 8);
	fake_out(m, FCR, 1, 0x81); /* trigger at 8 */
	fake_out(m, IER, 1, 5);
	assert_int_equal(fake_in(m, LSR, 1), 0x60);
	type(m, "abc");
	assert_true(line(m));
	assert_int_equal(fake_in(m, IIR, 1), 0xcc); /* time-out */
	type(m, "defgh");
	assert_int_equal(fake_in(m, IIR, 1), 0xc4);
	assert_int_equal(fake_in(m, LSR, 1), 0x61);
	for (u32 i = 0; i < 8; i++) {
		assert_true(line(m));
		assert_int_equal(fake_in(m, DATA, 1), "abcdefgh"[i]);
	}
	assert_false(line(m));
	assert_int_equal(fake_in(m, DATA, 1), 0);
	assert_int_equal(fake_in(m, LSR, 1), 0x60);
}

static void room_and_wake_up(void **state)
{
	struct machine *m = setup();
	u8 bytes[UART_RING];

	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	assert_int_equal(uart_room(m), UART_RING);
	uart_receive(m, bytes, UART_RING);
	assert_int_equal(uart_room(m), 0);
	fake.now = 77;
	fake.rescheduled = NEVER;
	for (u32 i = 0; i < UART_RING / 2 - 1; i++)
		assert_int_equal(fake_in(m, DATA, 1), i);
	assert_int_equal(fake.rescheduled, NEVER);
	assert_int_equal(fake_in(m, DATA, 1), UART_RING / 2 - 1);
	assert_int_equal(fake.rescheduled, 77);
	uart_receive(m, bytes, uart_room(m)); /* across the ring's end */
	for (u32 i = 0; i < UART_RING; i++)
		assert_int_equal(fake_in(m, DATA, 1), (i + UART_RING / 2) % UART_RING);
}

static void overrun_is_told(void **state)
{
	struct machine *m = setup();

	fake_out(m, MCR, 1, 8);
	fake_out(m, IER, 1, 4);
	for (u32 i = 0; i <= UART_RING; i++)
		type(m, "x");
	assert_int_equal(fake_in(m, IIR, 1), 6);
	assert_int_equal(fake_in(m, LSR, 1), 0x63);
	assert_int_equal(fake_in(m, LSR, 1), 0x61);
	fake.rescheduled = NEVER;
	fake_out(m, FCR, 1, 7);
	assert_int_equal(fake_in(m, LSR, 1), 0x60);
	assert_int_not_equal(fake.rescheduled, NEVER);
	assert_int_equal(uart_room(m), UART_RING);
}

static void loopback_stays_inside(void **state)
{
	struct machine *m = setup();

	fake_out(m, MCR, 1, 0x10);
	assert_int_equal(uart_room(m), 0);
	type(m, "outside");
	assert_int_equal(fake_in(m, LSR, 1), 0x60);
	fake_out(m, DATA, 1, 0xae);
	assert_int_equal(fake.console_len, 0);
	assert_int_equal(fake_in(m, LSR, 1), 0x61);
	assert_int_equal(fake_in(m, DATA, 1), 0xae);
	fake.rescheduled = NEVER;
	fake_out(m, MCR, 1, 0x0b);
	assert_int_not_equal(fake.rescheduled, NEVER);
}

static void modem_status_changes(void **state)
{
	struct machine *m = setup();

	assert_int_equal(fake_in(m, MSR, 1), 0xb0);
	fake_out(m, MCR, 1, 0x15); /* loop DTR and OUT1: DSR, RI; CTS and DCD fell */
	assert_int_equal(fake_in(m, MSR, 1), 0x69);
	assert_int_equal(fake_in(m, MSR, 1), 0x60);
	fake_out(m, MCR, 1, 0x08);
	fake_out(m, IER, 1, 8);
	assert_true(line(m));
	assert_int_equal(fake_in(m, IIR, 1), 0);
	assert_int_equal(fake_in(m, MSR, 1), 0xbd); /* RI's end, too */
	assert_false(line(m));
}

static void fuzz(void **state)
{
	struct machine *m = setup();
	static const u8 noise[100];

	for (u32 i = 0; i < 50000; i++) {
		fake_fuzz(m, 1, true, NULL, NULL);
		uart_receive(m, noise, fake_random() % 4 ? fake_random() % 8 : fake_random() % sizeof(noise));
		assert_true(uart_room(m) <= UART_RING);
		assert_int_equal(line(m), m->uart.line);
		fake.console_len = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_out_at_once), cmocka_unit_test(linux_finds_a_16550a),
		cmocka_unit_test(divisor_is_behind_dlab), cmocka_unit_test(transmitter_interrupts),
		cmocka_unit_test(out2_connects_the_line), cmocka_unit_test(receiver_interrupts),
		cmocka_unit_test(room_and_wake_up), cmocka_unit_test(overrun_is_told),
		cmocka_unit_test(loopback_stays_inside), cmocka_unit_test(modem_status_changes),
		cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
