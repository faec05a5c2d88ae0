// The pool of threads: every index once, whatever the division, the nesting and the number of threads.
#include "tensor/parallel.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mini {
namespace {

class Parallel : public testing::Test {
 protected:
  void TearDown() override { set_threads(before_); }
  int before_ = max_threads();
};

// How often each index of a loop was visited.
std::vector<int> visits(std::int64_t count, std::int64_t grain) {
  std::vector<std::atomic<int>> visited(static_cast<std::size_t>(count));
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) ++visited[static_cast<std::size_t>(i)];
  });
  return {visited.begin(), visited.end()};
}

TEST_F(Parallel, VisitsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 16})
    for (const std::int64_t count : {0, 1, 2, 7, 64, 1000, 100001})
      for (const std::int64_t grain : {1, 10, 5000}) {
        set_threads(threads);
        EXPECT_EQ(visits(count, grain), std::vector<int>(static_cast<std::size_t>(count), 1))
            << threads << " threads, " << count << " by " << grain;
      }
}

TEST_F(Parallel, TasksVisitEveryIndexOnce) {
  set_threads(3);
  for (const std::int64_t count : {1, 2, 1000, 100001}) {
    std::vector<std::atomic<int>> visited(static_cast<std::size_t>(count));
    parallel_tasks(count, [&](std::int64_t i) { ++visited[static_cast<std::size_t>(i)]; });
    for (const auto& times : visited) ASSERT_EQ(times, 1);
  }
}

// Jobs follow each other as closely as they can, so that workers of one arrive late, in the next.
TEST_F(Parallel, ManyShortJobs) {
  for (const int threads : {2, 5}) {
    set_threads(threads);
    std::int64_t sum = 0;
    for (int job = 0; job < 20000; ++job) {
      std::atomic<std::int64_t> part = 0;
      parallel_tasks(job % 7 + 2, [&](std::int64_t i) { part += i + job; });
      sum += part;
    }
    std::int64_t expected = 0;
    for (std::int64_t job = 0; job < 20000; ++job)
      for (std::int64_t i = 0; i < job % 7 + 2; ++i) expected += i + job;
    EXPECT_EQ(sum, expected);
  }
}

TEST_F(Parallel, RethrowsAndGoesOn) {
  set_threads(2);
  for (int round = 0; round < 100; ++round) {
    EXPECT_THROW(
        parallel_tasks(50,
                       [](std::int64_t i) { i % 10 == 3 ? throw std::domain_error("3") : void(); }),
        std::domain_error);
    EXPECT_EQ(visits(100, 1), std::vector<int>(100, 1));
  }
}

TEST_F(Parallel, LoopsInsideABodyAreSerial) {
  set_threads(2);
  parallel_tasks(8, [&](std::int64_t) {
    EXPECT_EQ(max_threads(), 1);
    const auto self = std::this_thread::get_id();
    parallel_tasks(8, [&](std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), self); });
  });
  EXPECT_EQ(max_threads(), 2);
}

TEST_F(Parallel, ThreadsShareThePool) {
  std::atomic<std::int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      set_threads(3);
      for (int round = 0; round < 500; ++round)
        parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 500 * 100);
}

TEST_F(Parallel, TheSettingIsOfTheThread) {
  set_threads(5);
  int other = 0;
  std::thread([&] {
    set_threads(1);
    other = max_threads();
  }).join();
  EXPECT_EQ(other, 1);
  EXPECT_EQ(max_threads(), 5);
}

// A share that takes long leaves the other shares to the other thread: with fixed halves, the loop
// would take as long as four of the eight sleeps.
TEST_F(Parallel, AFreeThreadTakesTheNextShare) {
  set_threads(2);
  std::set<std::thread::id> of_short_shares;
  std::mutex mutex;
  std::atomic<std::thread::id> of_long_share;
  std::atomic<int> begun = 0;
  parallel_tasks(9, [&](std::int64_t i) {
    ++begun;
    if (i == 0) {
      of_long_share = std::this_thread::get_id();
      // Ends when all others have begun, which needs another thread; gives up where there is none.
      for (int wait = 0; wait < 10000 && begun < 9; ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      const std::lock_guard lock(mutex);
      of_short_shares.insert(std::this_thread::get_id());
    }
  });
  EXPECT_EQ(begun, 9);
  EXPECT_EQ(of_short_shares.count(of_long_share), 0u);
}

TEST_F(Parallel, WorksInAForkedProcess) {
  set_threads(2);
  EXPECT_EQ(visits(1000, 1), std::vector<int>(1000, 1));
  const pid_t child = fork();
  if (child == 0) _exit(visits(1000, 1) == std::vector<int>(1000, 1) ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace mini
