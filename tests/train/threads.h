// A collective between threads, so that a test can have several ranks without MPI.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/view.h"
#include "train/collective.h"

namespace mini::train {

// Where threads wait for each other. When one has failed, the waiting ones fail, too.
class Meeting {
 public:
  explicit Meeting(int size) : seats_(static_cast<std::size_t>(size)) {}

  // All threads call look() while every `own` stays as it is.
  template <class Look>
  void meet(int rank, const void* own, const Look& look) {
    seats_[static_cast<std::size_t>(rank)] = own;
    wait_for_all();
    look(seats_);
    wait_for_all();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    changed_.notify_all();
  }

 private:
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    const auto round = round_;
    if (++arrived_ == seats_.size()) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round_ != round || broken_; });
    if (round_ == round) fail("another rank has failed");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<const void*> seats_;
  std::size_t arrived_ = 0, round_ = 0;
  bool broken_ = false;
};

class ThreadCollective : public Collective {
 public:
  ThreadCollective(Meeting& meeting, int rank, int size)
      : meeting_(meeting), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void start_all_reduce(const Tensor& values) override { started.push_back(values); }
  void poll() override {}
  void wait() override {
    for (const Tensor& values : started) {
      Tensor sum;
      meeting_.meet(rank_, &values, [&](const std::vector<const void*>& seats) {
        sum = ops::clone(*static_cast<const Tensor*>(seats[0]));
        for (std::size_t i = 1; i < seats.size(); ++i)
          add(sum, *static_cast<const Tensor*>(seats[i]));
      });
      ops::copy(sum, values);
    }
    started.clear();
  }
  void broadcast(const Tensor& values) override {
    meeting_.meet(rank_, &values, [&](const std::vector<const void*>& seats) {
      if (rank_ > 0) ops::copy(*static_cast<const Tensor*>(seats[0]), values);
    });
  }
  std::vector<double> all_gather(std::span<const double> values) override {
    std::vector<double> all;
    meeting_.meet(rank_, values.data(), [&](const std::vector<const void*>& seats) {
      for (const void* seat : seats) {
        const auto* const first = static_cast<const double*>(seat);
        all.insert(all.end(), first, first + values.size());
      }
    });
    return all;
  }
  void barrier() override {
    meeting_.meet(rank_, nullptr, [](const auto&) {});
  }

  Tensors started;

 private:
  static void add(const Tensor& sum, const Tensor& term) {
    visit_real(sum.dtype(), "add", [&](auto type) {
      using T = typename decltype(type)::type;
      for (std::int64_t i = 0; i < sum.numel(); ++i) sum.data<T>()[i] += term.data<T>()[i];
    });
  }

  Meeting& meeting_;
  int rank_, size_;
};

// Runs body(collective) as every rank, each in a thread of its own. Returns the text of each rank's
// Error, or an empty string.
inline std::vector<std::string> run_ranks(int size,
                                          const std::function<void(ThreadCollective&)>& body) {
  Meeting meeting(size);
  std::vector<std::string> errors(static_cast<std::size_t>(size));
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank)
      threads.emplace_back([&, rank] {
        set_threads(1);
        ThreadCollective collective(meeting, rank, size);
        try {
          body(collective);
        } catch (const std::exception& error) {
          errors[static_cast<std::size_t>(rank)] = error.what();
          meeting.leave();
        }
      });
  }
  return errors;
}

}  // namespace mini::train
