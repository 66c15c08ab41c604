"use strict";

// One plastic synapse, in the arithmetic of spikepropamine.snn: a test holds both together.
const Synapse = {
  // The state before the first tick.
  start: () => ({ E: 0, pre: 0, post: 0, theta: 0 }),

  // The state one tick later, of the spikes (0 or 1) of this tick.
  step(state, preSpike, postSpike, { rule, eta, M, eMax, dt, tauTrace, tauTheta }) {
    // x[t] = λ x[t−1] + (1 − λ) s[t],  λ = exp(−dt/τ_x)
    const decay = Math.exp(-dt / tauTrace);
    const pre = decay * state.pre + (1 - decay) * preSpike;
    const post = decay * state.post + (1 - decay) * postSpike;
    // Oja: Δ = x_j (x_i − x_j E)    BCM: Δ = x_i x_j (x_j − θ)
    const change = { oja: () => post * (pre - post * state.E), bcm: () => pre * post * (post - state.theta) }[rule]();
    // E[t+1] = clip(E[t] + η M Δ, −E_max, E_max)
    const E = Math.max(-eMax, Math.min(eMax, state.E + eta * M * change));
    // θ[t+1] = θ[t] + (dt/τ_θ) (x_j² − θ[t])
    const theta = rule === "bcm" ? state.theta + (dt / tauTheta) * (post * post - state.theta) : 0;
    return { E, pre, post, theta };
  },

  // The states after each tick of two spike trains.
  run(preSpikes, postSpikes, settings) {
    const states = [];
    let state = Synapse.start();
    for (let t = 0; t < preSpikes.length; t++) states.push((state = Synapse.step(state, preSpikes[t], postSpikes[t], settings)));
    return states;
  },

  // A Poisson spike train; the same seed and rate give the same train, and a higher rate adds spikes to it.
  train(rate, ticks, dt, seed) {
    let word = seed >>> 0;
    const uniform = () => {
      word = (word + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(word ^ (word >>> 15), word | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
    return Array.from({ length: ticks }, () => Number(uniform() < (rate * dt) / 1000));
  },
};
