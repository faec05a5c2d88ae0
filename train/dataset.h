// Training batches: random crops of photographs, mirrored and turned, with their bicubic LR.
//
// Batch k is a pure function of the seed and k: sample g = k·batch + i is number g mod n of epoch
// g / n, each epoch has its own random order of the n images, and everything random about a sample
// comes from its own stream of numbers. So the order of threads changes nothing, a run resumed at
// step k goes on exactly as if it had never stopped, in the middle of an epoch too, and of several
// processes each makes its own samples of the one batch and reads no others.
// Read next: train/image_set.h.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tensor/random.h"
#include "tensor/tensor.h"
#include "train/collective.h"
#include "train/image_set.h"

namespace mini::train {

struct DataOptions {
  std::vector<std::filesystem::path> folders{};
  std::int64_t scale = 2;
  std::int64_t patch = 128;        // HR pixels a side, a multiple of scale
  std::int64_t batch = 16;         // samples, of all processes together
  bool flip = true;                // mirror at random, left-right and up-down
  bool transpose = true;           // swap rows and columns at random
  int workers = 1;                 // background threads; 0: next() does the work itself
  std::int64_t cache_mb = 4096;    // decoded images kept in memory
  std::filesystem::path except{};  // a folder in them to be passed over: where the run writes
};

struct Batch {
  Tensor hr;            // float32 [N,3,patch,patch], in [0,1]
  Tensor lr_reference;  // float32 [N,3,patch/scale,patch/scale]: bicubic, not rounded
};

// Makes any batch, or this process's share of it, by its number.
class BatchMaker {
 public:
  BatchMaker(const DataOptions& options, std::uint64_t seed, Share share = {});

  Batch make(std::int64_t step) const;
  const ImageSet& images() const { return images_; }

 private:
  struct Sample;
  std::vector<Sample> choose(std::int64_t step) const;
  void copy_patch(const Sample& sample, float* to) const;

  DataOptions options_;
  std::int64_t first_, count_;  // its samples of every batch
  Generator orders_, crops_;
  ImageSet images_;
};

// Makes the batches from `first_step` on, ahead of time, on background threads.
class BatchLoader {
 public:
  BatchLoader(const DataOptions& options, std::uint64_t seed, std::int64_t first_step,
              Share share = {});
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The next batch. Throws the error that was met while it was made.
  Batch next();
  std::int64_t image_count() const { return maker_.images().size(); }
  const std::string& fingerprint() const { return maker_.images().fingerprint(); }
  // One line for each file left out, "PATH: reason".
  const std::vector<std::string>& skipped() const { return maker_.images().skipped(); }
  // One line for each oddity of a file that is used.
  const std::vector<std::string>& notices() const { return maker_.images().notices(); }

 private:
  struct Made {
    Batch batch;
    std::exception_ptr error;
  };
  void work();

  BatchMaker maker_;
  std::int64_t ahead_;  // how many batches may wait

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t next_to_make_, next_to_give_;
  std::map<std::int64_t, Made> made_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace mini::train
