/* Byte rings: a stream against a model, a history's readers, and two threads on one stream. */
/* links: kernel/ring.c kernel/heap.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/ring.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 64;
const u32 fake_cpu_count = 2;

#define SIZE 4096u

static struct ring ring;

static void test_stream_against_model(void **state)
{
	static u8 in[6000], out[6000];
	u64 written = 0, read = 0;

	assert_int_equal(ring_init(&ring, SIZE), 0);
	srandom(5);
	for (u32 round = 0; round < 20000; round++) {
		u64 len = (u64)random() % (random() % 4 ? 300 : sizeof(in)), room = SIZE - (written - read), n;

		assert_int_equal(ring_readable(&ring), written != read);
		if (random() % 2) {
			for (u64 i = 0; i < len; i++)
				in[i] = (u8)((written + i) * 7);
			n = ring_write(&ring, in, len);
			assert_int_equal(n, MIN(len, room));
			written += n;
		} else {
			n = ring_read(&ring, out, len);
			assert_int_equal(n, MIN(len, written - read));
			for (u64 i = 0; i < n; i++)
				assert_int_equal(out[i], (u8)((read + i) * 7));
			read += n;
		}
	}
	ring_fini(&ring);
	ring_fini(&ring); /* zeroed state is fine */
}

static void test_history(void **state)
{
	static u8 in[3 * SIZE], out[3 * SIZE];
	u64 position, end = 0;

	assert_int_equal(ring_init(&ring, SIZE), 0);
	position = 99; /* beyond the end */
	assert_int_equal(ring_replay(&ring, &position, out, sizeof(out)), 0);
	assert_int_equal(position, 0);
	srandom(6);
	for (u32 round = 0; round < 3000; round++) {
		u64 len = (u64)random() % (round % 10 ? 500 : sizeof(in)), n;

		for (u64 i = 0; i < len; i++)
			in[i] = (u8)((end + i) * 13);
		ring_record(&ring, in, len);
		end += len;
		position = random() % 8 ? end - MIN(end, (u64)random() % (2 * SIZE)) : (u64)random() << 33;
		len = (u64)random() % sizeof(out);
		n = ring_replay(&ring, &position, out, len);
		assert_true(position <= end && n <= MIN(len, SIZE));
		for (u64 i = 0; i < n; i++)
			assert_int_equal(out[i], (u8)((position - n + i) * 13));
		assert_true(n || !len || position == end);
	}
	position = 0; /* what was overwritten is passed over, and exactly that */
	assert_int_equal(ring_replay(&ring, &position, out, sizeof(out)), SIZE);
	assert_int_equal(position, end);
	ring_fini(&ring);
}

#define TOTAL 300000

static void both_ends(u32 cpu)
{
	u8 bytes[97];

	for (u64 done = 0; done < TOTAL;) {
		u64 len = 1 + done % sizeof(bytes), n;

		if (cpu == 0) {
			len = MIN(len, TOTAL - done);
			for (u64 i = 0; i < len; i++)
				bytes[i] = (u8)((done + i) * 3);
			n = ring_write(&ring, bytes, len);
		} else {
			n = ring_read(&ring, bytes, len);
			for (u64 i = 0; i < n; i++)
				if (bytes[i] != (u8)((done + i) * 3))
					abort();
		}
		done += n;
		if (!n)
			sched_yield();
	}
}

static void test_two_threads(void **state)
{
	assert_int_equal(ring_init(&ring, SIZE), 0);
	fake_cpus_run(both_ends);
	assert_false(ring_readable(&ring));
	ring_fini(&ring);
}

static void test_out_of_memory(void **state)
{
	fake_leave(0);
	assert_int_equal(ring_init(&ring, SIZE), ERR_NOMEM);
	ring_fini(&ring);
	fake_give_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_stream_against_model), FAKE_TEST(test_history), FAKE_TEST(test_two_threads),
		FAKE_TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
