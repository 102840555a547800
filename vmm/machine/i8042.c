/* The 8042 keyboard controller without keyboard and mouse, and port 92h.  Lock: the machine lock.
 *
 * Drivers must find out quickly that nothing is plugged in: what is sent to a device comes back at once as
 * FEh with the time-out bit, as the controller itself answers for a silent device, and the auxiliary
 * interface fails its test.  A20 is always open; its bits are only remembered. */
#include "vmm/machine/i8042.h"

#include "vmm/machine/machine.h"

#define STATUS_FULL 0x01 /* the output buffer */
#define STATUS_SYSTEM 0x04
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX 0x20
#define STATUS_TIMEOUT 0x40

#define MODE_IRQ 0x01
#define MODE_SYSTEM 0x04

#define OUTPUT_NOT_RESET 0x01
#define OUTPUT_A20 0x02

#define REPEATS_MAX 3

static void i8042_update(struct machine *m)
{
	struct i8042 *k = &m->i8042;

	machine_irq(m, 1, k->status & STATUS_FULL && !(k->status & STATUS_AUX) && k->mode & MODE_IRQ);
}

/* how: STATUS_AUX and STATUS_TIMEOUT, as they apply */
static void i8042_answer(struct i8042 *k, u8 data, u8 how)
{
	k->data = data;
	k->status = (k->status & ~(STATUS_AUX | STATUS_TIMEOUT)) | STATUS_FULL | how;
}

static _Noreturn void i8042_pull_reset(struct machine *m)
{
	machine_stop(m, STOP_REBOOT, "the guest reset itself by the keyboard controller");
}

static void i8042_command(struct machine *m, u8 command)
{
	struct i8042 *k = &m->i8042;

	k->status |= STATUS_COMMAND;
	k->command = 0;
	switch (command) {
	case 0x20: /* read the command byte */
		i8042_answer(k, k->mode, 0);
		break;
	case 0x60: /* write the command byte, output port, either output buffer, to the mouse */
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xd4:
		k->command = command;
		break;
	case 0xa7: /* auxiliary interface off, on */
	case 0xa8:
		k->mode = (k->mode & ~0x20) | (command == 0xa7 ? 0x20 : 0);
		break;
	case 0xa9: /* test it: its clock line is stuck */
		i8042_answer(k, 0x01, 0);
		break;
	case 0xaa: /* self-test */
		k->mode |= MODE_SYSTEM;
		k->status |= STATUS_SYSTEM;
		i8042_answer(k, 0x55, 0);
		break;
	case 0xab: /* test the keyboard interface */
		i8042_answer(k, 0x00, 0);
		break;
	case 0xad: /* keyboard interface off, on */
	case 0xae:
		k->mode = (k->mode & ~0x10) | (command == 0xad ? 0x10 : 0);
		break;
	case 0xc0: /* input port: not locked */
		i8042_answer(k, 0x80, 0);
		break;
	case 0xd0:
		i8042_answer(k, k->output, 0);
		break;
	case 0xdd: /* A20 off, on */
	case 0xdf:
		k->output = (k->output & ~OUTPUT_A20) | (command == 0xdf ? OUTPUT_A20 : 0);
		break;
	default:
		if (command >= 0xf0 && !(command & 1)) /* pulses the output bits that are 0 */
			i8042_pull_reset(m);
	}
}

/* FEh also means "send that again": a driver that obeys for ever (GNU Mach's) gets no answer in the end. */
static void i8042_no_keyboard(struct i8042 *k, u8 data)
{
	k->repeats = data == k->sent ? MIN(k->repeats, REPEATS_MAX) + 1 : 0;
	k->sent = data;
	if (k->repeats < REPEATS_MAX)
		i8042_answer(k, 0xfe, STATUS_TIMEOUT);
}

static void i8042_data(struct machine *m, u8 data)
{
	struct i8042 *k = &m->i8042;
	u8 command = k->command;

	k->status &= ~STATUS_COMMAND;
	k->command = 0;
	switch (command) {
	case 0x60:
		k->mode = data;
		k->status = (k->status & ~STATUS_SYSTEM) | (data & MODE_SYSTEM);
		break;
	case 0xd1:
		k->output = data;
		if (!(data & OUTPUT_NOT_RESET))
			i8042_pull_reset(m);
		break;
	case 0xd2:
	case 0xd3: /* without STATUS_AUX: there is no auxiliary port to loop through */
		i8042_answer(k, data, 0);
		break;
	case 0xd4:
		i8042_answer(k, 0xfe, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		i8042_no_keyboard(k, data);
	}
}

static void i8042_data_access(struct machine *m, void *device, struct access *a)
{
	struct i8042 *k = device;

	if (bus_split(m, device, a, i8042_data_access))
		return;
	if (a->write) {
		i8042_data(m, (u8)a->value);
	} else {
		a->value = k->data;
		k->status &= ~(STATUS_FULL | STATUS_AUX | STATUS_TIMEOUT);
	}
	i8042_update(m);
}

static void i8042_status_access(struct machine *m, void *device, struct access *a)
{
	struct i8042 *k = device;

	if (bus_split(m, device, a, i8042_status_access))
		return;
	if (!a->write) {
		a->value = k->status;
		return;
	}
	i8042_command(m, (u8)a->value);
	i8042_update(m);
}

/* Port 92h: bit 0 resets when it is set, bit 1 is A20. */
static void i8042_port92_access(struct machine *m, void *device, struct access *a)
{
	struct i8042 *k = device;

	if (bus_split(m, device, a, i8042_port92_access))
		return;
	if (!a->write) {
		a->value = k->output & OUTPUT_A20;
		return;
	}
	k->output = (k->output & ~OUTPUT_A20) | (a->value & OUTPUT_A20);
	if (a->value & 1)
		machine_stop(m, STOP_REBOOT, "the guest reset itself by port 92h");
}

void i8042_attach(struct machine *m)
{
	bus_add(&m->ports, 0x60, 1, i8042_data_access, &m->i8042);
	bus_add(&m->ports, 0x64, 1, i8042_status_access, &m->i8042);
	bus_add(&m->ports, 0x92, 1, i8042_port92_access, &m->i8042);
}

void i8042_reset(struct machine *m)
{
	m->i8042 = (struct i8042){ .status = STATUS_SYSTEM | STATUS_UNLOCKED, .mode = MODE_SYSTEM | MODE_IRQ,
				   .output = 0xcc | OUTPUT_NOT_RESET | OUTPUT_A20 };
	i8042_update(m);
}
