// The allocator. Its counters are part of its contract, so all numbers here are exact.
#include "tensor/allocator.h"

#include <cstdlib>
#include <thread>
#include <vector>

#include "tensor/tensor.h"
#include "tests/support/support.h"

namespace mini {
namespace {

constexpr bool pooled = !test::address_sanitizer;

// A device with little memory, which counts what it has allocated.
class SmallDevice final : public Allocator {
 public:
  explicit SmallDevice(std::size_t capacity) : free_(capacity) {}
  ~SmallDevice() override { trim(); }
  std::size_t available() const override { return free_; }

 protected:
  void* system_allocate(std::size_t bytes) override {
    if (bytes > free_) return nullptr;
    free_ -= bytes;
    return std::aligned_alloc(64, bytes);
  }
  void system_free(void* data, std::size_t bytes) noexcept override {
    free_ += bytes;
    std::free(data);
  }

 private:
  std::size_t free_;
};

TEST(Allocator, CountsLiveAndPeak) {
  SmallDevice device(1 << 20);
  const Block a = device.allocate(1000), b = device.allocate(1), c = device.allocate(0);
  EXPECT_EQ(a.bytes, 1024u);
  EXPECT_EQ(b.bytes, 64u);
  EXPECT_EQ(c.bytes, 64u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data) % 64, 0u);
  EXPECT_EQ(device.stats().live, 1152u);
  device.release(a);
  EXPECT_EQ(device.stats().live, 128u);
  EXPECT_EQ(device.stats().peak, 1152u);
  device.reset_peak();
  EXPECT_EQ(device.stats().peak, 128u);
  device.release(b);
  device.release(c);
  device.release({});  // an empty block is nothing
  EXPECT_EQ(device.stats().live, 0u);
  EXPECT_EQ(device.stats().requests, 3u);
  EXPECT_EQ(device.stats().system_allocations, 3u);
  EXPECT_EQ(device.stats().cached, pooled ? 1152u : 0u);
}

TEST(Allocator, ReusesWhatFits) {
  if (!pooled) GTEST_SKIP() << "no cache under AddressSanitizer";
  SmallDevice device(1 << 20);
  const Block a = device.allocate(6400), b = device.allocate(640);
  device.release(a);
  device.release(b);
  const Block exact = device.allocate(640);
  EXPECT_EQ(exact.data, b.data);
  const Block close = device.allocate(5600);  // wastes exactly an eighth of the block
  EXPECT_EQ(close.data, a.data);
  EXPECT_EQ(close.bytes, 6400u);
  EXPECT_EQ(device.stats().system_allocations, 2u);
  EXPECT_EQ(device.stats().cached, 0u);
  EXPECT_EQ(device.stats().live, 7040u);
  device.release(close);
  const Block wasteful = device.allocate(5536);  // would waste more than an eighth
  EXPECT_NE(wasteful.data, a.data);
  EXPECT_EQ(device.stats().system_allocations, 3u);
  EXPECT_EQ(device.stats().cached, 6400u);
  device.release(exact);
  device.release(wasteful);
}

TEST(Allocator, TrimGivesEverythingBack) {
  SmallDevice device(1 << 20);
  const Block kept = device.allocate(64);
  for (const std::size_t bytes : {64, 128, 4096}) device.release(device.allocate(bytes));
  device.trim();
  EXPECT_EQ(device.stats().cached, 0u);
  EXPECT_EQ(device.stats().live, 64u);
  EXPECT_EQ(device.available(), (1u << 20) - 64);
  device.release(kept);
}

TEST(Allocator, CacheHasALimit) {
  if (!pooled) GTEST_SKIP() << "no cache under AddressSanitizer";
  SmallDevice device(1 << 20);
  device.set_cache_limit(1000);
  const Block a = device.allocate(640), b = device.allocate(640);
  device.release(a);
  device.release(b);  // would raise `cached` to 1280
  EXPECT_EQ(device.stats().cached, 640u);
  EXPECT_EQ(device.available(), (1u << 20) - 640);
  device.set_cache_limit(100);
  EXPECT_EQ(device.stats().cached, 0u);
}

TEST(Allocator, CachedAndLiveKeepBelowTheTotalLimit) {
  if (!pooled) GTEST_SKIP() << "no cache under AddressSanitizer";
  SmallDevice device(1 << 20);
  device.set_total_limit(10'240);
  device.release(device.allocate(6'400));
  const Block small = device.allocate(3'840);  // just too large for the cached block
  EXPECT_EQ(device.stats().cached, 6'400u);
  const Block more = device.allocate(64);
  EXPECT_EQ(device.stats().cached, 0u);
  EXPECT_EQ(device.available(), (1u << 20) - 3'904);
  const Block large = device.allocate(20'480);  // live bytes are not limited
  device.release(more);
  EXPECT_EQ(device.stats().cached, 64u);
  device.set_total_limit(1);
  EXPECT_EQ(device.stats().cached, 0u);
  device.release(small);
  device.release(large);
}

TEST(Allocator, EmptiesTheCacheBeforeGivingUp) {
  SmallDevice device(10000);
  device.release(device.allocate(6400));
  const Block big = device.allocate(9600);  // needs the memory of the cached block
  EXPECT_EQ(device.stats().live, 9600u);
  EXPECT_EQ(device.stats().cached, 0u);
  EXPECT_EQ(test::error_of([&] { device.allocate(6400); }),
            "allocator: out of memory asking for 6400 bytes (live 9600, peak 9600); use a smaller "
            "batch, patch or image");
  EXPECT_EQ(device.stats().live, 9600u);
  device.release(big);
  EXPECT_THROW(device.allocate(SIZE_MAX), Error);
}

TEST(Allocator, CountsAreExactUnderParallelUse) {
  SmallDevice device(std::size_t{1} << 30);
  constexpr int workers = 4, rounds = 2000;
  std::vector<std::thread> threads;
  for (int worker = 0; worker < workers; ++worker)
    threads.emplace_back([&, worker] {
      std::vector<Block> held;
      for (int round = 0; round < rounds; ++round) {
        held.push_back(device.allocate(static_cast<std::size_t>(64 * (1 + (round * worker) % 37))));
        // No other thread may write to a block while this one holds it.
        *static_cast<int*>(held.back().data) = worker * rounds + round;
        if (held.size() < 8) continue;
        EXPECT_EQ(*static_cast<int*>(held.front().data), worker * rounds + round - 7);
        device.release(held.front());
        held.erase(held.begin());
      }
      for (const Block block : held) device.release(block);
    });
  for (std::thread& thread : threads) thread.join();
  const MemoryStats stats = device.stats();
  EXPECT_EQ(stats.live, 0u);
  EXPECT_EQ(stats.requests, std::uint64_t{workers * rounds});
  EXPECT_EQ(device.available() + stats.cached, std::size_t{1} << 30);
}

TEST(Allocator, TensorsUseIt) {
  Allocator& cpu = allocator({});
  const MemoryStats before = cpu.stats();
  {
    const Tensor x = Tensor::zeros({100, 100});
    EXPECT_EQ(cpu.stats().live - before.live, 40000u);
    const Tensor view = x.as_strided({10}, {1}, 0);
    EXPECT_EQ(cpu.stats().requests - before.requests, 1u);
  }
  EXPECT_EQ(cpu.stats().live, before.live);
}

TEST(Allocator, SteadyStateAsksTheSystemForNothing) {
  if (!pooled) GTEST_SKIP() << "no cache under AddressSanitizer";
  const auto step = [] {
    const Tensor a = Tensor::ones({64, 64});
    const Tensor b = Tensor::zeros({32, 64});
  };
  step();
  const std::uint64_t before = allocator({}).stats().system_allocations;
  for (int i = 0; i < 100; ++i) step();
  EXPECT_EQ(allocator({}).stats().system_allocations, before);
}

}  // namespace
}  // namespace mini
