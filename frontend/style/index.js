import './base.css';
import './runs.css';
import './card.css';
