package shop.mobile

data class PendingChange(val id: Long, val entity: String, val version: Int, val body: String)

sealed interface Outcome {
    object Accepted : Outcome
    data class Conflict(val serverVersion: Int, val serverBody: String) : Outcome
    object Unreachable : Outcome
}

/** Changes made without a connection, sent in order once there is one. */
class OfflineQueue(private val send: (PendingChange) -> Outcome) {
    private val waiting = ArrayDeque<PendingChange>()

    fun enqueue(change: PendingChange) {
        waiting.removeAll { it.entity == change.entity && it.version == change.version }
        waiting.addLast(change)
    }

    fun flush(resolve: (PendingChange, Outcome.Conflict) -> PendingChange?): Int {
        var sent = 0
        while (waiting.isNotEmpty()) {
            val change = waiting.first()
            when (val outcome = send(change)) {
                is Outcome.Accepted -> { waiting.removeFirst(); sent++ }
                is Outcome.Conflict -> {
                    waiting.removeFirst()
                    resolve(change, outcome)?.let { waiting.addFirst(it.copy(version = outcome.serverVersion)) }
                }
                is Outcome.Unreachable -> return sent
            }
        }
        return sent
    }
}
