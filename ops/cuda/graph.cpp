// Capturing and replaying a step, and the exchange of values between host and device.
//
// A captured step is a list of CUDA graphs, with functions of the host between them. A replay goes
// through the list. It launches a graph without waiting for it, so the host calls the next function
// while the device works; such a function waits only for the values it needs (an event).
#include "tensor/graph.h"

#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "ops/cuda/graph.h"
#include "tensor/queue.h"
#include "tensor/view.h"

namespace mini {
namespace cuda {
namespace {

// Page-locked host memory, which the device can read and write directly.
class PinnedAllocator final : public Allocator {
 public:
  void* system_allocate(std::size_t bytes) override {
    void* data = nullptr;
    if (cudaHostAlloc(&data, bytes, cudaHostAllocDefault) == cudaSuccess) return data;
    cudaGetLastError();  // clear the error, or the next call would report it
    return nullptr;
  }
  void system_free(void* data, std::size_t) noexcept override { cudaFreeHost(data); }
  std::size_t available() const override { return mini::allocator(Device{}).available(); }
};

Tensor pinned_tensor(const Shape& shape, DType dtype) {
  // Never destroyed: tensors in static storage may be destroyed after any other static.
  static auto& pinned = *new PinnedAllocator;
  return Tensor::empty_from(pinned, shape, dtype);
}

// A position in the queue that the host can wait for.
class Event {
 public:
  Event() {
    check_status(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
  }
  // Waits, so that memory freed afterwards is no longer in use.
  ~Event() {
    cudaEventSynchronize(event_);
    cudaEventDestroy(event_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() { check_status(cudaEventRecord(event_, stream()), "cudaEventRecord"); }
  void wait() const { check_status(cudaEventSynchronize(event_), "cudaEventSynchronize"); }
  bool is_done() const { return cudaEventQuery(event_) == cudaSuccess; }

 private:
  cudaEvent_t event_ = nullptr;
};

void copy_bytes(const Tensor& from, const Tensor& to) {
  check_status(
      cudaMemcpyAsync(to.raw_data(), from.raw_data(), to.bytes(), cudaMemcpyDefault, stream()),
      "cudaMemcpyAsync");
}

// Values in pinned memory, and the event that they have arrived.
class Transfer : public HostCopy::Transfer {
 public:
  Transfer(const Shape& shape, DType dtype) : values_(pinned_tensor(shape, dtype)) {}
  const Tensor& values() const { return values_; }
  void mark() { arrived_.record(); }
  bool is_done() const { return arrived_.is_done(); }
  const Tensor& wait() const override {
    arrived_.wait();
    return values_;
  }

 private:
  Tensor values_;
  Event arrived_;  // destroyed first, so it waits before the values are freed
};

// Keeps a transfer alive until it is done.
void hold(std::shared_ptr<const Transfer> transfer) {
  thread_local std::deque<std::shared_ptr<const Transfer>> under_way;
  while (!under_way.empty() && under_way.front()->is_done()) under_way.pop_front();
  under_way.push_back(std::move(transfer));
}

// A captured step: graphs, and functions of the host between them.
struct Recording {
  std::vector<std::variant<cudaGraphExec_t, std::function<void()>>> parts;
  std::uint64_t seed = 0, offset = 0;  // of the generator before the step
  Tensor position;    // int64 [2] on the device: seed and offset of the current replay
  Tensors constants;  // pinned host tensors, which every replay copies to the device

  ~Recording() {
    for (const auto& part : parts)
      if (const auto* exec = std::get_if<cudaGraphExec_t>(&part)) cudaGraphExecDestroy(*exec);
  }

  void begin_part() {
    // Relaxed mode: a captured step may still allocate memory.
    check_status(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed),
                 "cudaStreamBeginCapture");
  }
  void end_part() {
    cudaGraph_t graph = nullptr;
    check_status(cudaStreamEndCapture(stream(), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t exec = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&exec, graph, 0);
    cudaGraphDestroy(graph);
    check_status(status, "cudaGraphInstantiate");
    parts.emplace_back(exec);
  }
};

thread_local Recording* recording = nullptr;

}  // namespace

bool is_capturing() { return recording != nullptr; }

void on_host(std::function<void()> work) {
  if (recording == nullptr) return work();
  recording->end_part();
  recording->parts.emplace_back(std::move(work));
  recording->begin_part();
}

void transfer(const Tensor& from, const Tensor& to) {
  use(to.device().is_cuda() ? to.device() : from.device());
  if (from.device().is_cpu()) {
    // CUDA may read pageable memory after the call has returned, so the values are copied to pinned
    // memory.
    const auto transfer = std::make_shared<Transfer>(from.shape(), from.dtype());
    ops::copy(from, transfer->values());
    copy_bytes(transfer->values(), to);
    if (recording != nullptr) {
      recording->constants.push_back(transfer->values());
    } else {
      transfer->mark();
      hold(transfer);
    }
    return;
  }
  check(recording == nullptr,
        "graph: a captured step has no values yet; use HostCopy, which has them after a replay");
  wait_for(from.device());
  use(to.device().is_cuda() ? to.device() : from.device());
  copy_bytes(from, to);
  wait_for(to.device().is_cuda() ? to.device() : from.device());
}

RandomPosition captured_position(const Generator& generator) {
  if (recording == nullptr) return {};
  check(
      generator.seed == recording->seed && generator.offset >= recording->offset,
      "graph: the step draws from another generator than the one passed to capture; pass that one");
  return {reinterpret_cast<const std::uint64_t*>(recording->position.raw_data()),
          generator.offset - recording->offset};
}

std::shared_ptr<const HostCopy::Transfer> copy_to_host(const Tensor& x) {
  use(x.device());
  auto transfer = std::make_shared<Transfer>(x.shape(), x.dtype());
  copy_bytes(ops::contiguous(x), transfer->values());
  on_host([transfer] { transfer->mark(); });
  return transfer;
}

Tensor from_host(const Shape& shape, DType dtype, Device device,
                 std::function<void(const Tensor& values)> make) {
  use(device);
  const auto transfer = std::make_shared<Transfer>(shape, dtype);
  const Tensor result = Tensor::empty(shape, dtype, device);
  // The copy of the previous replay may still be reading the memory that `make` writes.
  on_host([transfer, make = std::move(make)] { make(transfer->wait()); });
  copy_bytes(transfer->values(), result);
  on_host([transfer] { transfer->mark(); });
  if (!is_capturing()) hold(transfer);
  return result;
}

}  // namespace cuda

class Graph::State {
 public:
  State(Device device, std::shared_ptr<Allocator::Pool> pool)
      : device_((cuda::use(device), device)),
        pool_(pool != nullptr ? std::move(pool)
                              : std::make_shared<Allocator::Pool>(allocator(device))) {
    recording_.position = Tensor::empty({2}, DType::int64, device);
    next_position_ = cuda::pinned_tensor({2}, DType::int64);
  }

  void capture(const Generator& random, const std::function<void()>& step) {
    check(cuda::recording == nullptr && recording_.parts.empty(),
          "graph: a graph captures one step, and not inside another capture; make a second graph");
    cuda::use(device_);
    recording_.seed = random.seed;
    recording_.offset = random.offset;
    Allocator& memory = allocator(device_);
    memory.use_pool(pool_.get());
    cuda::recording = &recording_;
    try {
      recording_.begin_part();
      step();
      recording_.end_part();
    } catch (...) {
      cudaGraph_t unfinished = nullptr;
      cudaStreamEndCapture(cuda::stream(), &unfinished);
      if (unfinished != nullptr) cudaGraphDestroy(unfinished);
      cuda::recording = nullptr;
      memory.use_pool(nullptr);
      throw;
    }
    cuda::recording = nullptr;
    memory.use_pool(nullptr);
  }

  void replay(const Generator& random) {
    check(!recording_.parts.empty(), "graph: nothing was captured; call capture before replay");
    cuda::use(device_);
    position_read_.wait();
    auto* const position = next_position_.data<std::int64_t>();
    position[0] = static_cast<std::int64_t>(random.seed);
    position[1] = static_cast<std::int64_t>(random.offset);
    cuda::copy_bytes(next_position_, recording_.position);
    position_read_.record();
    for (const auto& part : recording_.parts) {
      if (const auto* exec = std::get_if<cudaGraphExec_t>(&part))
        cuda::check_status(cudaGraphLaunch(*exec, cuda::stream()), "cudaGraphLaunch");
      else
        std::get<std::function<void()>>(part)();
    }
  }

 private:
  Device device_;
  std::shared_ptr<Allocator::Pool> pool_;
  cuda::Recording recording_;
  Tensor next_position_;  // pinned
  cuda::Event position_read_;
};

Graph::Graph(Device device, const std::shared_ptr<Allocator::Pool>& pool)
    : state_(std::make_unique<State>(device, pool)) {}
Graph::~Graph() = default;

void Graph::capture(const Generator& random, const std::function<void()>& step) {
  state_->capture(random, step);
}

bool Graph::is_capturing() { return cuda::is_capturing(); }

void Graph::replay(const Generator& random) { state_->replay(random); }

}  // namespace mini
