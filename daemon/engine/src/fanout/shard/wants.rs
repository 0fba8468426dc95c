//! What a shard reports of the bars that its clients ask for.

use super::Shard;

impl Shard {
    /// Reports which bars are asked for from now on, and which no more; if the pulse has not read earlier reports, at a later time.
    pub fn report_wants(&mut self) {
        let wants = &mut self.table.cohorts.wants;
        if !wants.is_told()
            && let Err(unread) = self.uplink.report_wants(wants.take_changes())
        {
            wants.put_back(unread);
        }
    }
}
