// The memory profile lists exactly what was alive at the peak, whatever is allocated before and
// after.
#include "tensor/memory_profile.h"

#include <thread>

#include "tensor/random.h"
#include "tests/support/support.h"

namespace mini {
namespace {

// With an empty cache, blocks have the size requested, rounded up to 64 bytes.
Allocator& fresh_memory() {
  allocator({}).trim();
  return allocator({});
}

std::size_t sum(const MemoryProfile::Peak& peak) {
  std::size_t bytes = peak.unknown;
  for (const MemoryProfile::Entry& entry : peak.entries) bytes += entry.bytes;
  return bytes;
}

TEST(MemoryProfile, KeepsWhatWasAliveAtThePeak) {
  Allocator& memory = fresh_memory();
  const Tensor old = Tensor::zeros({100});
  const MemoryProfile profile(memory);
  const std::size_t before = memory.stats().live;
  EXPECT_EQ(profile.peak().unknown, before);
  EXPECT_TRUE(profile.peak().entries.empty());

  const Tensor kept = Tensor::zeros({32});
  { const Tensor small_peak = Tensor::zeros({64}); }
  { const Tensor a = Tensor::zeros({4, 48}), b = Tensor::zeros({3}, DType::uint8); }
  const Tensor later = Tensor::zeros({16});

  const MemoryProfile::Peak peak = profile.peak();
  EXPECT_EQ(peak.bytes, memory.stats().peak);
  EXPECT_EQ(peak.bytes, sum(peak));
  ASSERT_EQ(peak.entries.size(), 3u);
  EXPECT_EQ(peak.entries[0].bytes, 768u);
  EXPECT_EQ(peak.entries[0].contents.shape, (Shape{4, 48}));
  EXPECT_EQ(peak.entries[0].contents.dtype, DType::float32);
  EXPECT_EQ(peak.entries[1].bytes, 128u);
  EXPECT_EQ(peak.entries[1].contents.shape, Shape{32});
  EXPECT_EQ(peak.entries[2].bytes, 64u);
  EXPECT_EQ(peak.entries[2].contents.dtype, DType::uint8);
  for (const auto& entry : peak.entries) EXPECT_TRUE(entry.is_tensor);
}

TEST(MemoryProfile, StartsAnewWhereThePeakIsReset) {
  Allocator& memory = fresh_memory();
  Tensor old = Tensor::zeros({100});
  const MemoryProfile profile(memory);
  const std::size_t before = profile.peak().unknown;
  Tensor x = Tensor::zeros({1000});
  const Tensor y = Tensor::zeros({200});
  x = {};
  memory.reset_peak();
  ASSERT_EQ(profile.peak().entries.size(), 1u);
  EXPECT_EQ(profile.peak().entries[0].contents.shape, Shape{200});

  // Older blocks count, too. One of them is freed before the later peak.
  old = {};
  EXPECT_EQ(profile.peak().unknown, before);
  x = Tensor::zeros({500});
  EXPECT_EQ(profile.peak().unknown, before - 448);
  EXPECT_EQ(profile.peak().bytes, memory.stats().peak);
  EXPECT_EQ(profile.peak().entries.size(), 2u);
}

TEST(MemoryProfile, KernelMemoryIsNoTensor) {
  const MemoryProfile profile(allocator({}));
  const Storage buffer(640, {});
  ASSERT_EQ(profile.peak().entries.size(), 1u);
  EXPECT_FALSE(profile.peak().entries[0].is_tensor);
}

TEST(MemoryProfile, SeesAllThreads) {
  Allocator& memory = fresh_memory();
  const MemoryProfile profile(memory);
  std::vector<std::thread> threads;
  for (int worker = 0; worker < 4; ++worker)
    threads.emplace_back([worker] {
      Tensors held(6);
      for (std::size_t round = 0; round < 3000; ++round)
        held[round * 7 % held.size()] =
            Tensor::empty({static_cast<std::int64_t>(1 + (round * 131 + worker) % 4000)});
    });
  for (int i = 0; i < 100; ++i) {  // peak() may be called meanwhile
    const MemoryProfile::Peak peak = profile.peak();
    EXPECT_EQ(peak.bytes, sum(peak));
  }
  for (std::thread& thread : threads) thread.join();
  const MemoryProfile::Peak peak = profile.peak();
  EXPECT_EQ(peak.bytes, memory.stats().peak);
  EXPECT_GE(peak.entries.size(), 6u);
  EXPECT_LE(peak.entries.size(), 4u * 7u);
}

TEST(MemoryProfile, OneAtATime) {
  {
    const MemoryProfile profile(allocator({}));
    EXPECT_EQ(test::error_of([] { const MemoryProfile another(allocator({})); }),
              "allocator: it already has an observer; remove that first");
  }
  const MemoryProfile profile(allocator({}));
}

TEST(MemoryProfile, NamesTheFunctions) {
  const MemoryProfile profile(allocator({}));
  Generator generator{1, 0};
  const Tensor x = ops::uniform(generator, {10});
  ASSERT_EQ(profile.peak().entries.size(), 1u);
  EXPECT_EQ(origin(profile.peak().entries[0].stack), "ops::uniform");
  EXPECT_EQ(origin({}), "");
}

}  // namespace
}  // namespace mini
