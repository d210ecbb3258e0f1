// A design's events and the times of those that are known: the state that an evaluation works on.

#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace {

using Time = int64_t;

constexpr int64_t kMaxPeriod = 16;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

enum Kind : int64_t { kStage = 0, kSource = 1, kSink = 2 };

struct Edge {
    int64_t source, target, capacity, latency, beats;
    int64_t input, output;  // its place among the target's inputs and among the source's outputs
    int64_t produced = 0, released = 0;
    int64_t put = 0, take = 0;  // produced % capacity, released % capacity
    std::vector<Time> produce_time, release_time;
    std::vector<int64_t> producer, releaser;  // for each beat of a frame the event that puts it in, and that frees it
    Time *accepted = nullptr;                 // of the design's input: where the times go at which its beats are taken
};

struct Twin {  // how an actor's frames compare with those `period` frames before
    int64_t since = kNever;
    Time shift = 0;
};

struct Evaluator;

struct Actor {
    int64_t kind, firings;  // firings: events
    void (Evaluator::*fire)(int64_t, Actor &) = nullptr;
    const int32_t *events = nullptr;  // of each: need and release of each input, produce of each output, its span
    int64_t stride = 0;               // numbers an event
    std::vector<int64_t> inputs, outputs;
    int64_t frame = 0, firing = 0;
    Time last = -1;
    bool queued = false;
    int64_t waits_for = -1;  // the edge that blocks it
    int64_t stalled = 0;
    std::vector<int64_t> stalled_by_frame;
    std::vector<Time> last_by_frame;
    std::unique_ptr<Time[]> history;  // times of the events of the last kMaxPeriod + 1 frames
    Time *row = nullptr;              // where those of this frame go
    std::vector<Twin> twins;          // one for each period
    int64_t linear_since = kNever;    // from this frame on each event moved as far as in the frame before
    std::vector<Time> ready_shift;    // how far the cycle in which each event has its data moves in a frame

    int64_t need(const Edge &edge, int64_t k) const { return events[k * stride + 2 * edge.input]; }
    int64_t release(const Edge &edge, int64_t k) const { return events[k * stride + 2 * edge.input + 1]; }
    bool produce(const Edge &edge, int64_t k) const { return events[k * stride + 2 * inputs.size() + edge.output]; }
    int64_t span(int64_t k) const { return events[(k + 1) * stride - 1]; }
};

struct EventGraph {
    std::vector<Actor> actors;
    std::vector<Edge> edges;
    int64_t pace = 0;  // the source begins no frame before cycle frame * pace

    static void begin_row(Actor &actor) { actor.row = &actor.history[(actor.frame % (kMaxPeriod + 1)) * actor.firings]; }

    const Time *times(const Actor &actor, int64_t frame) const {
        return &actor.history[(frame % (kMaxPeriod + 1)) * actor.firings];
    }

    // How far an event moved in the last finished frame.
    Time moved(const Actor &actor, int64_t event) const {
        return times(actor, actor.frame - 1)[event] - times(actor, actor.frame - 2)[event];
    }

    // Which event gives and which frees each beat of a frame: for searches alone, so not before they begin.
    void index_beats(Edge &edge) const {
        if (!edge.producer.empty()) return;
        const Actor &source = actors[edge.source], &target = actors[edge.target];
        edge.producer.reserve(edge.beats);
        for (int64_t k = 0; k < source.firings; k++)
            if (source.produce(edge, k)) edge.producer.push_back(k);
        edge.releaser.reserve(edge.beats);
        for (int64_t k = 0; k < target.firings; k++)
            while (static_cast<int64_t>(edge.releaser.size()) < target.release(edge, k)) edge.releaser.push_back(k);
    }

    void index_beats() {
        for (Edge &edge : edges) index_beats(edge);
    }
};

}  // namespace
