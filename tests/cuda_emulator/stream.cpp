// Streams, events and graphs of the emulated device. A stream is a queue of functions; nothing runs
// before the host waits for a stream, an event or the device. A captured graph is a queue that is
// kept.
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "cuda_runtime.h"
#include "memory.h"

using mini::emulator::Unlocked;
using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> nodes;
};
struct CUgraphExec_st {
  std::vector<Work> nodes;
};
struct CUstream_st {
  std::deque<Work> queue;
  std::unique_ptr<CUgraph_st> captured;  // while capturing
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  bool invalidated = false;
};
// A record of an event is done when the stream has run the function that cudaEventRecord queued.
struct CUevent_st {
  cudaStream_t stream = nullptr;
  std::uint64_t recorded = 0, done = 0;  // numbers of records
  Clock::time_point time{};
};

namespace mini::emulator {
namespace {

std::set<cudaStream_t>& streams() {
  static auto& all = *new std::set<cudaStream_t>;
  return all;
}

std::uint64_t launched = 0;
std::vector<std::byte> shared_memory;

bool capturing() {
  for (const cudaStream_t stream : streams())
    if (stream->captured) return true;
  return false;
}

// A forbidden call invalidates the captures in progress. Returns whether there are any.
bool invalidates_capture() {
  bool any = false;
  for (const cudaStream_t stream : streams())
    if (stream->captured) any = stream->invalidated = true;
  return any;
}

void work_off(cudaStream_t stream) {
  const Unlocked unlocked;
  while (!stream->queue.empty()) {
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    work();
  }
}

void work_off_until(cudaEvent_t event, std::uint64_t record) {
  const Unlocked unlocked;
  while (event->done < record && event->stream != nullptr && !event->stream->queue.empty()) {
    const Work work = std::move(event->stream->queue.front());
    event->stream->queue.pop_front();
    work();
  }
}

}  // namespace

cudaError_t enqueue(cudaStream_t stream, Work work) {
  // The default stream is an error, since mini never uses it: it would wait for all others.
  if (stream == nullptr || !streams().contains(stream)) return cudaErrorInvalidResourceHandle;
  if (stream->captured)
    stream->captured->nodes.push_back(std::move(work));
  else
    stream->queue.push_back(std::move(work));
  return cudaSuccess;
}

cudaError_t launch(const cudaLaunchConfig_t& config, Work body) {
  const dim3 grid = config.gridDim, threads = config.blockDim;
  const std::uint64_t count = std::uint64_t{threads.x} * threads.y * threads.z;
  const bool fits = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 0x7fffffffu &&
                    grid.y <= 65535 && grid.z <= 65535 && count > 0 && count <= 1024 &&
                    threads.z <= 64 && config.dynamicSmemBytes <= (227u << 10);
  if (!fits) return cudaErrorInvalidConfiguration;
  ++launched;
  return enqueue(config.stream,
                 [grid, threads, bytes = config.dynamicSmemBytes, body = std::move(body)] {
                   gridDim = grid;
                   blockDim = threads;
                   for (unsigned z = 0; z < grid.z; ++z)
                     for (unsigned y = 0; y < grid.y; ++y)
                       for (unsigned x = 0; x < grid.x; ++x) {
                         blockIdx = {x, y, z};
                         shared_memory.assign(bytes, std::byte{0xff});
                         run_block(body);
                       }
                 });
}

std::uint64_t launches() { return launched; }
std::byte* dynamic_shared_memory() { return shared_memory.data(); }

bool may_not_capture() { return invalidates_capture(); }

bool is_capturing(cudaStream_t stream) {
  return streams().contains(stream) && stream->captured != nullptr;
}

bool invalidates_strict_capture() {
  for (const cudaStream_t stream : streams())
    if (stream->captured && stream->mode != cudaStreamCaptureModeRelaxed)
      return invalidates_capture();
  return false;
}

void wait_for_device() {
  for (const cudaStream_t stream : streams()) work_off(stream);
}

}  // namespace mini::emulator

using namespace mini::emulator;

cudaError_t cudaDeviceSynchronize() {
  if (may_not_capture()) return cudaErrorStreamCaptureUnsupported;
  wait_for_device();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  streams().insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!streams().contains(stream)) return cudaErrorInvalidResourceHandle;
  work_off(stream);
  streams().erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!streams().contains(stream)) return cudaErrorInvalidResourceHandle;
  if (may_not_capture()) return cudaErrorStreamCaptureUnsupported;
  work_off(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return enqueue(stream, [event, record = event->recorded] { work_off_until(event, record); });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return enqueue(stream, [function, data] { function(data); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  work_off_until(event, event->recorded);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  return enqueue(stream, [event, record = ++event->recorded] {
    event->done = record;
    event->time = Clock::now();
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (invalidates_strict_capture()) return cudaErrorStreamCaptureUnsupported;
  work_off_until(event, event->recorded);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return event->done == event->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (start->done != start->recorded || end->done != end->recorded) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (!streams().contains(stream) || capturing()) return cudaErrorInvalidValue;
  stream->captured = std::make_unique<CUgraph_st>();
  stream->mode = mode;
  stream->invalidated = false;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!streams().contains(stream) || !stream->captured) return cudaErrorInvalidValue;
  const std::unique_ptr<CUgraph_st> captured = std::move(stream->captured);
  if (stream->invalidated) return cudaErrorStreamCaptureInvalidated;
  *graph = new CUgraph_st(*captured);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CUgraphExec_st{graph->nodes};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const Work& node : exec->nodes)
    if (const cudaError_t error = enqueue(stream, node); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  wait_for_device();
  delete exec;
  return cudaSuccess;
}
