using System;
using System.Collections.Generic;

namespace Shop.Desktop
{
    /// <summary>Steps that can be taken back and taken again.</summary>
    public sealed class History
    {
        private readonly Stack<(Action Do, Action Undo)> _done = new();
        private readonly Stack<(Action Do, Action Undo)> _undone = new();

        public void Perform(Action step, Action inverse)
        {
            step();
            _done.Push((step, inverse));
            _undone.Clear();
        }

        public bool StepBack()
        {
            if (!_done.TryPop(out var last)) return false;
            last.Undo();
            _undone.Push(last);
            return true;
        }

        public bool StepForward()
        {
            if (!_undone.TryPop(out var next)) return false;
            next.Do();
            _done.Push(next);
            return true;
        }
    }
}
