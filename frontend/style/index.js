import './base.css';
import './runs.css';
import './card.css';
import './table.css';
