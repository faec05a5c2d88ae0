// One value drawn from a Gaussian mixture, per element, for host and device.
//
// With weights w and exponential noise e, component j wins where the race time e_k/w_k is smallest:
// this is argmax of log w_k + Gumbel_k, Gumbel = -log(e), without the logarithms. The relaxed
// choice softmax(log w + Gumbel) is, for the same reason, proportional to w_k/e_k.
#pragma once

#include "ops/math.h"

namespace mini::functors {

template <class T>
struct MixtureComponent {
  T inverse_weight;  // 1/w
  T mean;
  T deviation;  // standard deviation
};

template <class T>
struct MixtureChoice {
  int winner;
  T time;  // the winner's race time
};

// exponential points to this element's K numbers.
template <class T>
MINI_HOST_DEVICE inline MixtureChoice<T> mixture_choice(const MixtureComponent<T>* components,
                                                        int count, const T* exponential) {
  MixtureChoice<T> best{0, exponential[0] * components[0].inverse_weight};
  for (int k = 1; k < count; ++k) {
    const T time = exponential[k] * components[k].inverse_weight;
    const bool earlier = time < best.time;
    best.winner = earlier ? k : best.winner;
    best.time = earlier ? time : best.time;
  }
  return best;
}

template <class T>
MINI_HOST_DEVICE inline T mixture_sample(const MixtureComponent<T>* components, int count,
                                         const T* exponential, const T* normal) {
  const int j = mixture_choice(components, count, exponential).winner;
  return components[j].mean + components[j].deviation * normal[j];
}

// Adds this element's share of the parameters' gradient to total [3·count]: rows logits, means,
// deviations. With the relaxed choice p and candidates c_k = mean_k + deviation_k·n_k, the hard
// choice is used for the last two, the gradient of the relaxed one for the logits:
//   dlogit_k = dz·p_k·(c_k - Σ p·c),  dmean_j = dz,  ddeviation_j = dz·n_j.
template <class T>
MINI_HOST_DEVICE inline void mixture_gradient(const MixtureComponent<T>* components, int count,
                                              const T* exponential, const T* normal, T dz,
                                              double* total) {
  const MixtureChoice<T> best = mixture_choice(components, count, exponential);
  // p_k = share_k / Σ share, share_k = (w_k/e_k)/(w_j/e_j) <= 1: nothing overflows.
  const auto share = [&](int k) {
    return best.time / (exponential[k] * components[k].inverse_weight);
  };
  const auto candidate = [&](int k) {
    return components[k].mean + components[k].deviation * normal[k];
  };
  T shares = 0, weighted = 0;
  for (int k = 0; k < count; ++k) {
    shares += share(k);
    weighted += share(k) * candidate(k);
  }
  const T mean = weighted / shares, scale = dz / shares;
  for (int k = 0; k < count; ++k)
    total[k] += static_cast<double>(scale * share(k) * (candidate(k) - mean));
  total[count + best.winner] += static_cast<double>(dz);
  total[2 * count + best.winner] += static_cast<double>(dz * normal[best.winner]);
}

}  // namespace mini::functors
